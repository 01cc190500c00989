/*
 * A stream that may be read by two: by who needs the bytes, and by one who reads ahead and counts. What the one has read and the
 * other has not lies in a file without a name.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_INPUT_FLOW_H
#define CLI_INPUT_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <salp/stream.h>

struct input_flow;

/* Whose bytes come next. */
struct input_flow_reader {
    struct input_flow *flow;
    int64_t offset; /* in the file */
    bool ahead;     /* it is the one who counts */
};

/* The stream is the flow's from then on. NULL: no memory. */
struct input_flow *input_flow_new(salp_stream *stream);

/* Accepts NULL. Nobody reads. */
void input_flow_free(struct input_flow *flow);

/*
 * From now on a second one reads, from where the first one is now, who may be waiting meanwhile. `folder`: where the file is; NULL:
 * TMPDIR, or /tmp. Errors, not told: what the system says of a new file there; -ENOMEM; -EBUSY: there is one already.
 */
int input_flow_add(struct input_flow *flow, const char *folder);

/* The second one is gone. The first one gets what was read ahead, and then what comes. */
void input_flow_remove(struct input_flow *flow);

/*
 * Reads as salp_read does, and as much. Of the one who reads ahead also: -EFBIG: more than is sensible was read ahead, and what the
 * system says when the file cannot be written: it has to stop, and the other one loses nothing.
 */
int64_t input_flow_read(struct input_flow_reader *reader, void *data, size_t size);

#endif
