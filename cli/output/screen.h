/*
 * The screen: our standard output and our standard error, which one task at a time may write to.
 *
 * The first error is told, and is the answer to everything that comes later: what was cut off is not gone on with.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_OUTPUT_SCREEN_H
#define CLI_OUTPUT_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <salp/sync.h>

#include "output/output.h"
#include "output/sink.h"
#include "output/text.h"

struct output_screen {
    struct output_sink sinks[3]; /* standard output, standard error; the table of results */
    salp_mutex *mutex;
    struct output_store *store;
    const struct output_options *options; /* whom to tell that something is written */
    int error;
};

/* Errors: -EMFILE, -ENOMEM. */
int output_screen_open(struct output_screen *screen, struct output_store *store, const struct output_options *options);
void output_screen_close(struct output_screen *screen);

/* Takes it for the calling task, and gives it back. Waits. Errors: of the scope; nothing was taken. */
int output_screen_take(struct output_screen *screen);
void output_screen_give(struct output_screen *screen);

/* The table goes to a file of that name, which is made anew. Errors: of opening, told. */
int output_screen_open_table(struct output_screen *screen, const char *path);

/* Who has taken it: writes bytes. `which`: 0 to 2. Waits. Errors: as output_sink_write; what was told before. */
int output_screen_write(struct output_screen *screen, int which, const void *bytes, size_t size);

/* Likewise, up to `size` bytes that a pipe holds. Returns what output_sink_splice does; -EAGAIN, -ENOTSUP
   and -ECANCELED, after which all is still in the pipe, are no errors of the screen. */
int64_t output_screen_splice(struct output_screen *screen, int which, int pipe, size_t size);

/*
 * Likewise, the first bytes of a text, which are gone then, also after an error. Each line begins with the tag, if there is
 * one; *in_line tells whether its last line was begun already.
 */
int output_screen_show(struct output_screen *screen, int which, struct output_text *text, uint64_t size,
                       const char *tag, bool *in_line);

/* Something is lost: says what and why, once; the run is to be ended. Returns the error. */
int output_screen_fail(struct output_screen *screen, const char *what, int error);

/* A line for the user, on standard error. Waits for nobody. */
void output_screen_tell(struct output_screen *screen, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
