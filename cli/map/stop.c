/* How a command is ended. SPDX-License-Identifier: MIT */
#include "map/stop.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <salp/time.h>

/* "TERM", "sigterm", "15" */
static int signal_of(const char *name, size_t length)
{
    char own[16];
    if (length == 0 || length >= sizeof own)
        return -1;
    memcpy(own, name, length);
    own[length] = '\0';
    const char *word = strncasecmp(own, "SIG", 3) == 0 ? own + 3 : own;
    for (int number = 1; number < NSIG; number++) {
        const char *known = sigabbrev_np(number);
        if (known && strcasecmp(word, known) == 0)
            return number;
    }
    int number = own[strspn(own, "0123456789")] ? -1 : atoi(own);
    return number > 0 && number < NSIG ? number : -1;
}

/* Digits of a number that makes sense as milliseconds, or -1. */
static int64_t pause_of(const char *digits, size_t length)
{
    return length > 0 && length < 9 && strspn(digits, "0123456789") >= length ? SALP_MILLISECONDS(atol(digits)) : -1;
}

/* Whoever has not ended when the sequence is over is killed, also if it does not say so. */
static void settle(struct map_stop *stop)
{
    int asked = 0, killed = 0;
    int64_t until_kill = 0;
    while (killed < stop->count && stop->steps[killed].signal != SIGKILL) {
        asked += stop->steps[killed].signal == SIGTERM;
        until_kill += stop->steps[killed].pause;
        killed++;
    }
    for (int i = 0; i < stop->count; i++)
        stop->total += stop->steps[i].pause;
    bool only_asked = asked > 0 && asked == killed;
    stop->before = only_asked ? 0 : killed;
    stop->kill_after = !only_asked ? -1 : until_kill > 0 ? until_kill : 1;
}

bool map_stop_read(struct map_stop *stop, const char *text)
{
    *stop = (struct map_stop){ 0 };
    if (!text)
        text = "TERM,200,TERM,100,TERM,50,KILL,25";
    for (bool pause = false;; pause = !pause) {
        size_t length = strcspn(text, ",");
        int64_t value = pause ? pause_of(text, length) : signal_of(text, length);
        if (value < 0 || (!pause && stop->count == MAP_STOP_STEPS))
            return false;
        if (pause)
            stop->steps[stop->count - 1].pause = value;
        else
            stop->steps[stop->count++].signal = (int)value;
        if (text[length] == '\0')
            break;
        text += length + 1;
    }
    settle(stop);
    return true;
}
