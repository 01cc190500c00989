/* What is written behind an option. SPDX-License-Identifier: MIT */
#include "map/values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <salp/time.h>

/* A number that is not negative, with digits first (no "inf", "nan" or "0x"); *end is behind it. */
static bool take_number(const char *text, const char **end, double *number)
{
    size_t digits = strspn(text, "0123456789");
    size_t length = digits + (text[digits] == '.' ? 1 + strspn(text + digits + 1, "0123456789") : 0);
    char own[64];
    if (length == 0 || (length == 1 && digits == 0) || length >= sizeof own)
        return false;
    memcpy(own, text, length);
    own[length] = '\0';
    *number = strtod(own, NULL);
    *end = text + length;
    return true;
}

/* ---- times and sizes ---- */

struct unit {
    const char *name;
    double factor;
};

/* The longest name that the text begins with. */
static const struct unit *find_unit(const char *text, const struct unit *units, int count)
{
    const struct unit *found = NULL;
    for (int i = 0; i < count; i++) {
        size_t length = strlen(units[i].name);
        if (strncmp(text, units[i].name, length) == 0 && (!found || length > strlen(found->name)))
            found = &units[i];
    }
    return found;
}

/* A whole number below 2^63, or false. */
static bool round_to(double number, int64_t *result)
{
    if (!(number < 9.2e18))
        return false;
    *result = (int64_t)(number + 0.5);
    return true;
}

bool map_value_duration(const char *text, int64_t *nanoseconds)
{
    static const struct unit units[] = {
        { "ms", 1e6 }, { "s", 1e9 }, { "m", 60e9 }, { "h", 3600e9 }, { "d", 86400e9 },
    };
    double sum = 0, number;
    bool first = true;
    do {
        if (!take_number(text, &text, &number))
            return false;
        const struct unit *unit = find_unit(text, units, sizeof units / sizeof *units);
        if (!unit && (*text || !first))
            return false;
        sum += number * (unit ? unit->factor : 1e9);
        text += unit ? strlen(unit->name) : 0;
        first = false;
    } while (*text);
    return round_to(sum, nanoseconds);
}

bool map_value_size(const char *text, int64_t *bytes)
{
    static const struct unit units[] = {
        { "", 1 },         { "k", 1e3 },      { "m", 1e6 },      { "g", 1e9 },     { "t", 1e12 },    { "p", 1e15 },
        { "K", 0x1p10 },   { "M", 0x1p20 },   { "G", 0x1p30 },   { "T", 0x1p40 },  { "P", 0x1p50 },  { "KiB", 0x1p10 },
        { "MiB", 0x1p20 }, { "GiB", 0x1p30 }, { "TiB", 0x1p40 }, { "Ki", 0x1p10 }, { "Mi", 0x1p20 }, { "Gi", 0x1p30 },
        { "Ti", 0x1p40 },  { "kB", 1e3 },     { "MB", 1e6 },     { "GB", 1e9 },    { "TB", 1e12 },   { "B", 1 },
    };
    double number;
    if (!take_number(text, &text, &number))
        return false;
    const struct unit *unit = find_unit(text, units, sizeof units / sizeof *units);
    return strcmp(text, unit->name) == 0 && round_to(number * unit->factor, bytes);
}

bool map_value_number(const char *text, int64_t least, int64_t most, int64_t *number)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end || strchr(" \t\n+", text[0]) || value < least || value > most)
        return false;
    *number = value;
    return true;
}

bool map_value_percent(const char *text, double *percent)
{
    double number;
    if (!take_number(text, &text, &number) || strcmp(text, "%") != 0)
        return false;
    *percent = number;
    return true;
}

/* ---- slots and halts ---- */

bool map_value_slots(const char *text, struct map_slots *slots)
{
    int64_t number;
    double percent;
    bool relative = text[0] == '+' || text[0] == '-';
    if (map_value_percent(text, &percent))
        *slots = (struct map_slots){ .kind = MAP_SLOTS_PERCENT, .number = percent };
    else if (relative && text[1] != '-' && map_value_number(text + 1, 0, INT32_MAX, &number))
        *slots =
            (struct map_slots){ .kind = MAP_SLOTS_RELATIVE, .number = (double)(text[0] == '-' ? -number : number) };
    else if (map_value_number(text, 0, INT32_MAX, &number))
        *slots = (struct map_slots){ .kind = MAP_SLOTS_NUMBER, .number = (double)number };
    else if (text[0] && !relative)
        *slots = (struct map_slots){ .kind = MAP_SLOTS_FILE, .path = text };
    else
        return false;
    return true;
}

/* "1" or "30%" */
static bool take_amount(const char *text, struct map_halt *halt)
{
    int64_t count = 0;
    double percent = 0;
    if (!map_value_number(text, 1, INT64_MAX, &count) && !(map_value_percent(text, &percent) && percent > 0))
        return false;
    halt->count = (uint64_t)count;
    halt->percent = percent;
    return true;
}

/* Behind the word that the text begins with, or NULL. */
static const char *after(const char *text, const char *word)
{
    size_t length = strlen(word);
    return strncmp(text, word, length) == 0 ? text + length : NULL;
}

static bool take_condition(const char *text, struct map_halt *halt)
{
    static const char *const words[] = {
        [MAP_HALT_FAIL] = "fail=", [MAP_HALT_SUCCESS] = "success=", [MAP_HALT_DONE] = "done="
    };
    for (int on = MAP_HALT_FAIL; on <= MAP_HALT_DONE; on++) {
        const char *amount = after(text, words[on]);
        halt->on = on;
        if (amount)
            return take_amount(amount, halt);
    }
    return false;
}

bool map_value_halt(const char *text, struct map_halt *halt)
{
    static const struct {
        const char *text;
        struct map_halt halt;
    } words[] = {
        { "never", { .when = MAP_HALT_NEVER } },
        { "0", { .when = MAP_HALT_NEVER } },
        { "1", { MAP_HALT_SOON, MAP_HALT_FAIL, 1, 0 } },
        { "2", { MAP_HALT_NOW, MAP_HALT_FAIL, 1, 0 } },
        { "-1", { MAP_HALT_SOON, MAP_HALT_SUCCESS, 1, 0 } },
        { "-2", { MAP_HALT_NOW, MAP_HALT_SUCCESS, 1, 0 } },
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(text, words[i].text) == 0) {
            *halt = words[i].halt;
            return true;
        }
    }
    struct map_halt found = { .when = MAP_HALT_SOON, .on = MAP_HALT_FAIL };
    const char *soon = after(text, "soon,"), *now = after(text, "now,");
    if (now)
        found.when = MAP_HALT_NOW;
    bool sound = soon || now ? take_condition(soon ? soon : now, &found) : map_value_percent(text, &found.percent);
    sound = sound && (found.count > 0 || (found.percent > 0 && found.percent <= 100));
    if (sound)
        *halt = found;
    return sound;
}

/* ---- delimiters ---- */

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : 99;
}

/* Up to `most` digits of that base. */
static char take_byte(const char **at, int base, int most)
{
    int value = 0;
    for (int i = 0; i < most && digit(**at) < base; i++)
        value = value * base + digit(*(*at)++);
    return (char)value;
}

static char take_escape(const char **at)
{
    static const char letters[] = "abefnrtv", meant[] = "\a\b\033\f\n\r\t\v";
    const char *letter = **at ? strchr(letters, **at) : NULL;
    if (**at == 'x' && digit((*at)[1]) < 16) {
        (*at)++;
        return take_byte(at, 16, 2);
    }
    if (digit(**at) < 8)
        return take_byte(at, 8, 3);
    char byte = letter ? meant[letter - letters] : **at;
    (*at)++;
    return byte;
}

size_t map_value_unescape(char *text)
{
    const char *from = text;
    char *to = text;
    while (*from) {
        if (from[0] == '\\' && from[1]) {
            from++;
            *to++ = take_escape(&from);
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
    return (size_t)(to - text);
}
