/*
 * Records of values with something in between, as RFC 4180 has them (--csv).
 *
 *     12,"a, b","2 ""big"" ones","over
 *     two lines"
 *
 * A value that begins with a quote ends with one, and may have separators, newlines and doubled quotes in it. Elsewhere no quote
 * may stand. So what is within quotes has an odd number of them before it, from the beginning of the record on.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_INPUT_CSV_H
#define CLI_INPUT_CSV_H

#include <stdbool.h>
#include <stddef.h>

/* Is the number of quotes odd, where it was odd or not before? */
bool input_csv_is_within(const char *bytes, size_t size, bool within);

/* A record that is taken apart. */
struct input_csv {
    const char *record; /* what is left of it */
    size_t size;
    const char *separator;
    bool ended; /* the last value was taken */
};

/*
 * The next value: *size bytes, without quotes, into `to`, where as many as are left of the record have room. 1; 0: there are none
 * left; -EINVAL, told: quotes are not where they should be.
 */
int input_csv_next(struct input_csv *csv, char *to, size_t *size);

#endif
