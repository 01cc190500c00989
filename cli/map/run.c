/* What each way of running asks of a run. SPDX-License-Identifier: MIT */
#include "map/run.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "job/audience.h"
#include "journal/journal.h"
#include "map/joblog.h"

bool map_run_wants(const struct map_run *run, struct job *job)
{
    bool wanted = !run->journal || journal_wants(run->journal, job) == 1;
    return wanted && !(run->past && map_past_has(run->past, job->number));
}

/* In one piece: jobs may write there, too. */
void map_run_say(const struct map_run *run, const char *format, ...)
{
    char line[1024] = "salp map: ";
    va_list arguments;
    va_start(arguments, format);
    size_t begun = strlen(line);
    vsnprintf(line + begun, sizeof line - begun - 1, format, arguments);
    va_end(arguments);
    strcat(line, "\n");
    job_audience_move(run->audience, true);
    fputs(line, stderr);
    job_audience_move(run->audience, false);
}
