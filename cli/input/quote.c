/*
 * Between single quotes a shell takes every byte for itself, save for the single quote, which has to be written as '"'"'. A
 * word of harmless characters needs no quotes, and lines read better without; so do those without the '' that would be left
 * over where a word begins or ends with a single quote.
 *
 * Within double quotes, $ ` " and \ get a backslash. (An interactive shell would look for ! there; ours are not.)
 *
 * SPDX-License-Identifier: MIT
 */
#include "input/quote.h"

#include <string.h>

#include "input/template.h"

/* Not among them: what is special to any of the shells, or at the beginning of a word (~ = #), and bytes from 128 on, which may be
   blanks to one. */
static const bool harmless[256] = {
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['_'] = true, ['-'] = true, ['+'] = true,
    ['.'] = true,         ['/'] = true,         [':'] = true,         ['@'] = true, ['%'] = true,
};

static const char single[] = "'\"'\"'";

bool template_is_harmless(const char *word, size_t size)
{
    if (size == 0)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (!harmless[(unsigned char)word[i]])
            return false;
    }
    return true;
}

/* With a single quote? */
static size_t begins(const char *word, size_t size)
{
    return size > 0 && word[0] == '\'';
}

static size_t ends(const char *word, size_t size)
{
    return size > 0 && word[size - 1] == '\'';
}

static bool needs_backslash(char c)
{
    return c == '$' || c == '`' || c == '"' || c == '\\';
}

size_t template_quoted_size(const char *word, size_t size, enum template_quotes quotes)
{
    if (quotes >= TEMPLATE_BARE || (quotes == TEMPLATE_UNQUOTED && template_is_harmless(word, size)))
        return size;
    size_t quoted = size;
    if (quotes == TEMPLATE_UNQUOTED || quotes == TEMPLATE_QUOTED)
        quoted += 2 - 2 * (begins(word, size) + ends(word, size));
    for (size_t i = 0; i < size; i++) {
        if (quotes == TEMPLATE_DOUBLE)
            quoted += needs_backslash(word[i]);
        else if (word[i] == '\'')
            quoted += sizeof single - 2;
    }
    return quoted;
}

static char *quote_single(char *to, const char *word, size_t size)
{
    for (const char *end = word + size; word < end;) {
        const char *quote = memchr(word, '\'', (size_t)(end - word));
        size_t plain = (size_t)((quote ? quote : end) - word);
        to = mempcpy(to, word, plain);
        word += plain;
        if (!quote)
            break;
        to = mempcpy(to, single, sizeof single - 1);
        word++;
    }
    return to;
}

static char *quote_word(char *to, const char *word, size_t size)
{
    if (size == 1 && *word == '\'')
        return mempcpy(to, single + 1, 3);
    size_t first = begins(word, size), last = ends(word, size);
    to = mempcpy(to, first ? single + 1 : single, first ? 4 : 1);
    to = quote_single(to, word + first, size - first - last);
    return mempcpy(to, single, last ? 4 : 1);
}

char *template_quote_to(char *to, const char *word, size_t size, enum template_quotes quotes)
{
    if (quotes >= TEMPLATE_BARE || (quotes == TEMPLATE_UNQUOTED && template_is_harmless(word, size)))
        return mempcpy(to, word, size);
    if (quotes == TEMPLATE_DOUBLE) {
        for (size_t i = 0; i < size; i++) {
            if (needs_backslash(word[i]))
                *to++ = '\\';
            *to++ = word[i];
        }
        return to;
    }
    if (quotes == TEMPLATE_SINGLE)
        return quote_single(to, word, size);
    return quote_word(to, word, size);
}

size_t template_quote(char *to, size_t room, const char *word)
{
    size_t size = strlen(word), quoted = template_quoted_size(word, size, TEMPLATE_UNQUOTED);
    if (quoted < room)
        *template_quote_to(to, word, size, TEMPLATE_UNQUOTED) = '\0';
    else if (room > 0)
        *to = '\0'; /* half a word would be worse than none */
    return quoted;
}

bool template_means_something(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\0' || strchr(" \t\n|&;<>()$`\\\"'*?[]#~={}!", text[i]))
            return true;
    }
    return false;
}
