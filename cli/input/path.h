/*
 * Parts of a value, as if it were a path: what {.}, {/} and the others stand for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_INPUT_PATH_H
#define CLI_INPUT_PATH_H

#include <stddef.h>

enum template_part {
    TEMPLATE_ALL,                      /* {} */
    TEMPLATE_WITHOUT_EXTENSION,        /* {.}    a/b.tar.gz: a/b.tar */
    TEMPLATE_WITHOUT_EXTENSIONS2,      /* {..}   a/b; as it is when there are fewer than two */
    TEMPLATE_WITHOUT_EXTENSIONS3,      /* {...} */
    TEMPLATE_BASE,                     /* {/}    b.tar.gz */
    TEMPLATE_BASE_WITHOUT_EXTENSION,   /* {/.}   b.tar */
    TEMPLATE_BASE_WITHOUT_EXTENSIONS2, /* {/..}  b */
    TEMPLATE_BASE_WITHOUT_EXTENSIONS3, /* {/...} */
    TEMPLATE_FOLDER,                   /* {//}   a; "." when it names none */
    TEMPLATE_FOLDER_OR_NOTHING,        /* {+/}   a; empty when it names none */
    TEMPLATE_EXTENSION,                /* {+.}   gz */
    TEMPLATE_EXTENSIONS2,              /* {+..}  tar.gz; empty when there are fewer than two */
    TEMPLATE_EXTENSIONS3,              /* {+...} */
};

/* A part of value[0, *size): where it begins; its size becomes *size. */
const char *template_part_of(enum template_part part, const char *value, size_t *size);

#endif
