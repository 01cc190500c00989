/*
 * The screen: our standard output and our standard error, which one task at a time may write to.
 *
 * The first error is told, and is the answer to everything that comes later: what was cut off is not gone on with. That a scope
 * has ended our waiting for the reader is none: what was begun is kept, and comes before all else.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_OUTPUT_SCREEN_H
#define CLI_OUTPUT_SCREEN_H

#include <errno.h>
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
    struct output_rest {
        char *bytes; /* of a write that a scope has ended in its midst; NULL: there are none */
        size_t size;
    } rests[3];
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

/* Was it the scope that has ended it? */
static inline bool output_is_of_scope(int64_t error)
{
    return error == -ECANCELED || error == -ETIMEDOUT;
}

/* Who has taken it: writes bytes. `which`: 0 to 2. Waits. Errors: of the scope, before anything was written; what was told, now or
   before. */
int output_screen_write(struct output_screen *screen, int which, const void *bytes, size_t size);

/* Likewise, up to `size` bytes that a pipe holds. Returns what output_sink_splice does; -EAGAIN, -ENOTSUP
   and those of the scope, after which all is still in the pipe, are no errors of the screen. */
int64_t output_screen_splice(struct output_screen *screen, int which, int pipe, size_t size);

/*
 * Likewise, the first bytes of a text, which are gone then, also after an error, save for one of the scope: what was not
 * shown is still there. Each line begins with the tag, if there is one; *in_line tells whether its last line was begun already.
 */
int output_screen_show(struct output_screen *screen, int which, struct output_text *text, uint64_t size,
                       const char *tag, bool *in_line);

/* Takes it, writes what a scope has cut off, if that was so, and gives it back. Errors: as above. */
int output_screen_flush(struct output_screen *screen);

/* Something is lost: says what and why, once; the run is to be ended. Returns the error. */
int output_screen_fail(struct output_screen *screen, const char *what, int error);

/* A line for the user, on standard error. Waits for nobody. */
void output_screen_tell(struct output_screen *screen, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
