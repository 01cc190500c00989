/*
 * Texts of unknown origin on a terminal. A letter that takes two columns is there wholly or not at all; one that takes none
 * (an accent) stays with the letter before it. Where terminals differ from the C library (joined emoji) they take fewer
 * columns than are counted here, so that a line never becomes longer than it may be.
 *
 * SPDX-License-Identifier: MIT
 */
#include "job/visible.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <wchar.h>

static bool names_utf8(const char *locale)
{
    const char *dot = strchr(locale, '.');
    return dot && (strncasecmp(dot + 1, "UTF-8", 5) == 0 || strncasecmp(dot + 1, "UTF8", 4) == 0);
}

locale_t job_letters_new(void)
{
    static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && *value) /* the first one that is set counts */
            return names_utf8(value) ? newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL) : NULL;
    }
    return NULL;
}

void job_letters_free(locale_t letters)
{
    if (letters)
        freelocale(letters);
}

/* Marks and overrides of direction: they would turn around what stands behind them. */
static bool changes_direction(wchar_t c)
{
    return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* One letter of the text: its bytes in it, what is to be shown instead of them (NULL: themselves), its columns. */
struct letter {
    size_t size;
    const char *instead;
    int columns;
};

/* With the locale in use, if there is one. */
static struct letter next_letter(const char *text, locale_t letters)
{
    unsigned char c = (unsigned char)*text;
    if (c == '\n' || c == '\t')
        return (struct letter){ 1, " ", 1 };
    if (c >= ' ' && c < 0x7f)
        return (struct letter){ 1, NULL, 1 };
    if (c < 0x80 || !letters)
        return (struct letter){ 1, "?", 1 };
    wchar_t wide;
    mbstate_t state = { 0 };
    size_t size = mbrtowc(&wide, text, strnlen(text, MB_LEN_MAX), &state);
    if (size == (size_t)-1 || size == (size_t)-2)
        return (struct letter){ 1, "?", 1 };
    int columns = wcwidth(wide);
    if (columns < 0 || changes_direction(wide))
        return (struct letter){ size, "?", 1 };
    return (struct letter){ size, NULL, columns };
}

int job_visible(char *to, size_t size, const char *text, int columns, locale_t letters)
{
    const char *ellipsis = letters ? "\u2026" : "...";
    int ellipsis_columns = letters ? 1 : 3;
    locale_t before = letters ? uselocale(letters) : NULL;
    size_t end = 0, cut = 0; /* bytes; so far, and where an ellipsis would still fit */
    int width = 0, cut_width = 0;
    while (*text) {
        struct letter letter = next_letter(text, letters);
        const char *shown = letter.instead ? letter.instead : text;
        size_t bytes = letter.instead ? 1 : letter.size;
        if (width + letter.columns > columns || end + bytes >= size)
            break;
        memcpy(to + end, shown, bytes);
        end += bytes;
        width += letter.columns;
        text += letter.size;
        if (width + ellipsis_columns <= columns && end + strlen(ellipsis) < size) {
            cut = end;
            cut_width = width;
        }
    }
    if (letters)
        uselocale(before);
    if (*text && ellipsis_columns <= columns && strlen(ellipsis) < size) {
        memcpy(to + cut, ellipsis, strlen(ellipsis));
        end = cut + strlen(ellipsis);
        width = cut_width + ellipsis_columns;
    }
    if (size > 0)
        to[end] = 0;
    return width;
}

int job_terminal_columns(int fd)
{
    struct winsize window;
    return ioctl(fd, TIOCGWINSZ, &window) == 0 ? window.ws_col : 0;
}
