/* Those who are needed as long as jobs run. SPDX-License-Identifier: MIT */
#include "map/aides.h"

#include <signal.h>
#include <unistd.h>

#include <salp/loop.h>

#include "input/source.h"
#include "job/audience.h"

static void on_total(uint64_t total, void *arg)
{
    struct map_aides *aides = arg;
    aides->result->total = total;
    job_audience_tell_total(aides->run->audience, total);
}

static int learn_total(void *arg)
{
    struct map_aides *aides = arg;
    (void)input_source_learn(aides->run->source, on_total, aides);
    return 0;
}

static void on_signal(struct map_aides *aides, int number)
{
    bool again = aides->result->signal != 0;
    if (!again)
        aides->result->signal = number;
    aides->stop(aides->arg, again || number == SIGHUP);
}

/* Bytes from the front: signals that the user has sent. Their end: it has been killed. */
static void on_line(int fd, unsigned events, void *arg)
{
    struct map_aides *aides = arg;
    (void)events;
    unsigned char numbers[16];
    ssize_t count = read(fd, numbers, sizeof numbers);
    for (ssize_t i = 0; i < count; i++)
        on_signal(aides, numbers[i]);
    if (count != 0)
        return;
    (void)salp_loop_watch(salp_loop_current(), fd, 0, on_line, aides);
    aides->abandon(aides->arg);
}

int map_aides_start(struct map_aides *aides)
{
    const struct map_run *run = aides->run;
    int error = 0;
    salp_group_open(&aides->group);
    if (job_audience_ticks(run->audience))
        error = salp_go(&aides->group, job_audience_tick, run->audience);
    if (error == 0 && run->learns_total)
        error = salp_go(&aides->group, learn_total, aides);
    if (error == 0 && run->line >= 0)
        error = salp_loop_watch(salp_loop_current(), run->line, SALP_READABLE, on_line, aides);
    if (error == 0 && run->line >= 0)
        on_line(run->line, SALP_READABLE, aides); /* what has come before now counts before the first job */
    return error;
}

void map_aides_end(struct map_aides *aides)
{
    if (aides->run->line >= 0)
        (void)salp_loop_watch(salp_loop_current(), aides->run->line, 0, on_line, aides);
    salp_group_cancel(&aides->group);
    salp_group_close(&aides->group);
}
