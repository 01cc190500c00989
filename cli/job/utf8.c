/*
 * The table of well-formed bytes of the Unicode standard (3-7), as conditions.
 *
 * SPDX-License-Identifier: MIT
 */
#include "job/utf8.h"

size_t job_utf8_letter(const char *bytes, size_t size)
{
    const unsigned char *next = (const unsigned char *)bytes;
    unsigned first = next[0];
    if (first < 0x80)
        return 1;
    size_t letter = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (letter == 0 || letter > size)
        return 0;
    if ((first == 0xe0 && next[1] < 0xa0) || (first == 0xed && next[1] > 0x9f) || (first == 0xf0 && next[1] < 0x90) ||
        (first == 0xf4 && next[1] > 0x8f))
        return 0;
    for (size_t i = 1; i < letter; i++) {
        if ((next[i] & 0xc0) != 0x80)
            return 0;
    }
    return letter;
}
