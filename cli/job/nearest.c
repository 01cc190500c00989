/* The word that was meant. SPDX-License-Identifier: MIT */
#include "job/nearest.h"

#include <stddef.h>
#include <string.h>

enum { LONGEST = 64, MOST_WRONG = 2 };

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

int job_distance(const char *a, const char *b)
{
    int row[LONGEST + 1], length = (int)strnlen(b, LONGEST + 1);
    if (length > LONGEST)
        return LONGEST;
    for (int j = 0; j <= length; j++)
        row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= length; j++) {
            int changed = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = smaller(changed, smaller(row[j], row[j - 1]) + 1);
        }
    }
    return row[length];
}

const char *job_nearest(const char *word, job_nearest_next *next, const void *words)
{
    const char *found = NULL, *known;
    int least = MOST_WRONG + 1, at = 0;
    while ((known = next(&at, words)) != NULL) {
        size_t length = strlen(known);
        if (word[0] && strncmp(known, word, strlen(word)) == 0)
            return known;
        int wrong = job_distance(word, known);
        if (wrong < least && wrong < (int)length) {
            least = wrong;
            found = known;
        }
    }
    return found;
}
