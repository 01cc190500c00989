/*
 * The descriptors that this program was started with, beside the standard ones. Jobs get them under the same numbers, as they
 * would of a shell: so what <(...) has named is there, a lock that a script holds is its jobs', too, and make's jobserver comes to
 * those who ask it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_MAP_INHERITED_H
#define CLI_MAP_INHERITED_H

struct map_inherited {
    int *numbers; /* in rising order */
    int count;
};

/* All that are open now, from 3 on, and not to be closed by execve: nothing of ours is one of these. Where the system does not tell,
   there are none. */
void map_inherited_read(struct map_inherited *inherited);
void map_inherited_free(struct map_inherited *inherited);

#endif
