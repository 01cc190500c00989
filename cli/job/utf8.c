/*
 * The table of well-formed bytes of the Unicode standard (3-7), as conditions.
 *
 * SPDX-License-Identifier: MIT
 */
#include "job/utf8.h"

#include <stdbool.h>

/* How many bytes the letter has that begins with this one; 0: none does. */
static size_t length_of(unsigned char first)
{
    return first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
}

/* May this byte be the second one? Not of what would have a shorter form, of half a pair of UTF-16, or above U+10FFFF. */
static bool may_follow(unsigned char first, unsigned char second)
{
    unsigned char least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned char most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    return second >= least && second <= most;
}

size_t job_utf8_match(const char *text, size_t size, size_t *length)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t found = 1;
    *length = length_of(bytes[0]);
    if (*length == 0)
        return 0;
    for (; found < *length && found < size; found++) {
        if (found == 1 ? !may_follow(bytes[0], bytes[1]) : (bytes[found] & 0xc0) != 0x80)
            return 0;
    }
    return found;
}

size_t job_utf8_letter(const char *bytes, size_t size)
{
    size_t length, found = job_utf8_match(bytes, size, &length);
    return found == length ? length : 0;
}
