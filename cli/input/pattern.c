/*
 * An expression in which nothing is special, like "," or "\t", is found by memmem, all others by regexec. glibc's regexec takes
 * memory and time by the size of what it looks through, so callers give it no more than they need to (blocks.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include "input/pattern.h"

#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "input/message.h"

struct input_pattern {
    char *bytes; /* as they are; NULL: an expression */
    size_t size, middle;
    regex_t regex;
    bool pair; /* [expression] its first part in parentheses is the first of two */
};

static struct input_pattern *new_literal(const char *bytes, size_t size, size_t middle)
{
    struct input_pattern *pattern = calloc(1, sizeof *pattern);
    if (!pattern)
        return NULL;
    pattern->size = size;
    pattern->middle = middle;
    pattern->bytes = malloc(size + 1);
    if (!pattern->bytes) {
        free(pattern);
        return NULL;
    }
    memcpy(pattern->bytes, bytes, size);
    return pattern;
}

/* ---- from Perl's expressions to POSIX's ---- */

static const char special[] = ".[]{}()*+?|^$\\";

/* The byte that an escape like \t or \x2c stands for, and how many characters it has; 0: it is none of these. */
static int escaped_byte(const char *text, char *byte)
{
    static const char names[] = "tnrfvae", bytes[] = "\t\n\r\f\v\a\033";
    const char *name = text[1] ? strchr(names, text[1]) : NULL;
    unsigned value;
    int size;
    if (name) {
        *byte = bytes[name - names];
        return 2;
    }
    if (text[1] == 'x' && isxdigit((unsigned char)text[2]) && sscanf(text + 2, "%2x%n", &value, &size) == 1 && value) {
        *byte = (char)value;
        return 2 + size;
    }
    return 0;
}

/* What POSIX calls a class like \d. */
static const char *class_of(char letter, bool in_brackets)
{
    switch (letter) {
    case 'd':
        return in_brackets ? "0-9" : "[0-9]";
    case 'D':
        return in_brackets ? NULL : "[^0-9]";
    case 's':
        return in_brackets ? "[:space:]" : "[[:space:]]";
    case 'S':
        return in_brackets ? NULL : "[^[:space:]]";
    case 'w':
        return in_brackets ? "[:alnum:]_" : "[[:alnum:]_]";
    case 'W':
        return in_brackets ? NULL : "[^[:alnum:]_]";
    default:
        return NULL;
    }
}

/* Translates one escape; returns how many characters of the text it was. */
static size_t translate_escape(const char *text, bool in_brackets, FILE *to)
{
    char byte = 0;
    int size = escaped_byte(text, &byte);
    const char *class = class_of(text[1], in_brackets);
    if (size > 0 && !in_brackets && strchr(special, byte))
        fprintf(to, "\\%c", byte);
    else if (size > 0)
        fputc(byte, to);
    else if (class)
        fputs(class, to);
    else if (in_brackets && text[1] && strchr(special, text[1]))
        fputc(text[1], to); /* POSIX knows no escapes there */
    else
        fprintf(to, "%.2s", text);
    return size > 0 ? (size_t)size : text[1] ? 2 : 1;
}

/* As POSIX writes it. NULL: no memory. */
static char *translate(const char *text)
{
    char *translated = NULL;
    size_t size;
    FILE *to = open_memstream(&translated, &size);
    if (!to)
        return NULL;
    bool in_brackets = false;
    const char *bracket = NULL; /* where they have begun */
    while (*text) {
        if (*text == '\\') {
            text += translate_escape(text, in_brackets, to);
            continue;
        }
        if (in_brackets && *text == '[' && text[1] == ':') {
            const char *end = strstr(text, ":]");
            size_t length = end ? (size_t)(end + 2 - text) : 1;
            fwrite(text, 1, length, to);
            text += length;
            continue;
        }
        if (!in_brackets && *text == '[') {
            in_brackets = true;
            bracket = text[1] == '^' ? text + 1 : text;
        } else if (in_brackets && *text == ']' && text > bracket + 1) {
            in_brackets = false;
        }
        if (!in_brackets && *text == '.')
            fputs("[^\n]", to);
        else
            fputc(*text, to);
        text++;
    }
    if (fclose(to) == 0)
        return translated;
    free(translated);
    return NULL;
}

/* If nothing in it is special: the bytes it stands for, into `bytes`. */
static bool is_literal(const char *translated, char *bytes)
{
    for (; *translated; translated++) {
        if (*translated == '\\' && translated[1] && strchr(special, translated[1]))
            translated++;
        else if (strchr(special, *translated))
            return false;
        *bytes++ = *translated;
    }
    *bytes = '\0';
    return true;
}

static int open_expression(struct input_pattern **opened, const char *translated, const char *expression,
                           const char *what)
{
    struct input_pattern *pattern = calloc(1, sizeof *pattern);
    if (!pattern)
        return input_tell_error(-ENOMEM, "%s", what);
    int wrong = regcomp(&pattern->regex, translated, REG_EXTENDED);
    if (wrong == 0) {
        *opened = pattern;
        return 0;
    }
    char text[200];
    regerror(wrong, &pattern->regex, text, sizeof text);
    free(pattern);
    return input_tell(-EINVAL, "%s '%s': %s", what, expression, text);
}

int input_pattern_open(struct input_pattern **opened, const char *expression, const char *what)
{
    int error = -ENOMEM;
    *opened = NULL;
    char *translated = translate(expression), *bytes = translated ? malloc(strlen(translated) + 1) : NULL;
    if (!bytes)
        error = input_tell_error(-ENOMEM, "%s", what);
    else if (!*expression)
        error = input_tell(-EINVAL, "%s: it is empty", what);
    else if (is_literal(translated, bytes))
        error = input_pattern_open_literal(opened, bytes, strlen(bytes), strlen(bytes));
    else
        error = open_expression(opened, translated, expression, what);
    free(bytes);
    free(translated);
    return error;
}

int input_pattern_open_at_end(struct input_pattern **opened, const char *expression, const char *what)
{
    char *translated = translate(expression), *whole = NULL;
    *opened = NULL;
    bool made = translated && asprintf(&whole, "(%s)$", translated) >= 0;
    int error = made ? open_expression(opened, whole, expression, what) : input_tell_error(-ENOMEM, "%s", what);
    if (made)
        free(whole);
    free(translated);
    return error;
}

int input_pattern_open_pair(struct input_pattern **opened, const char *first, const char *second, const char *what)
{
    char *both;
    *opened = NULL;
    if (!second || !*second)
        return input_pattern_open(opened, first ? first : "", what);
    if (asprintf(&both, "(%s)(%s)", first ? first : "", second) < 0)
        return input_tell_error(-ENOMEM, "%s", what);
    int error = input_pattern_open(opened, both, what);
    if (error == 0)
        (*opened)->pair = true;
    free(both);
    return error;
}

int input_pattern_open_literal(struct input_pattern **opened, const char *bytes, size_t size, size_t middle)
{
    *opened = new_literal(bytes, size, middle);
    return *opened ? 0 : input_tell_error(-ENOMEM, "inputs");
}

void input_pattern_close(struct input_pattern *pattern)
{
    if (!pattern)
        return;
    if (!pattern->bytes)
        regfree(&pattern->regex);
    free(pattern->bytes);
    free(pattern);
}

bool input_pattern_find(const struct input_pattern *pattern, const char *data, size_t size, struct input_match *match)
{
    if (size == 0)
        return false;
    if (pattern->bytes) {
        const char *found = pattern->size == 1 ? memchr(data, pattern->bytes[0], size)
                                               : memmem(data, size, pattern->bytes, pattern->size);
        if (!found)
            return false;
        match->start = (size_t)(found - data);
        match->middle = match->start + pattern->middle;
        match->end = match->start + pattern->size;
        return true;
    }
    /* An empty match separates nothing: the next one is looked for. */
    for (size_t from = 0; from < size; from++) {
        regmatch_t parts[2] = { { .rm_so = (regoff_t)from, .rm_eo = (regoff_t)size } };
        if (regexec(&pattern->regex, data, pattern->pair ? 2 : 1, parts, REG_STARTEND | (from > 0 ? REG_NOTBOL : 0)) !=
            0)
            return false;
        if (parts[0].rm_eo > parts[0].rm_so) {
            match->start = (size_t)parts[0].rm_so;
            match->end = (size_t)parts[0].rm_eo;
            match->middle = pattern->pair ? (size_t)parts[1].rm_eo : match->end;
            return true;
        }
        from = (size_t)parts[0].rm_so;
    }
    return false;
}

bool input_pattern_match(const struct input_pattern *pattern, const char *data, size_t size, size_t start, size_t end,
                         struct input_match *match)
{
    if (pattern->bytes) {
        const char *found = memmem(data + start, end - start, pattern->bytes, pattern->size);
        match->start = found ? (size_t)(found - data) : 0;
        match->middle = match->end = match->start + pattern->size;
        return found != NULL;
    }
    regmatch_t part = { .rm_so = (regoff_t)start, .rm_eo = (regoff_t)end };
    int flags = REG_STARTEND | (start > 0 ? REG_NOTBOL : 0) | (end < size ? REG_NOTEOL : 0);
    if (regexec(&pattern->regex, data, 1, &part, flags) != 0)
        return false;
    match->start = (size_t)part.rm_so;
    match->middle = match->end = (size_t)part.rm_eo;
    return true;
}

size_t input_pattern_size(const struct input_pattern *pattern)
{
    return pattern->bytes ? pattern->size : 0;
}
