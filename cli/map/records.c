/*
 * --json: a line of JSON on standard output for each job, when it has ended for good; with -k in the order of the inputs.
 *
 *     {"number": 3, "slot": 1, "attempt": 1, "values": ["a b"], "line": "wc 'a b'", "state": "failed",
 *      "exit_status": 1, "signal": null, "error": null, "started": "2026-11-23T16:20:20.123456789Z", "seconds": 0.012345678,
 *      "user": 0.001000000, "system": 0.002000000, "peak_memory": 2097152,
 *      "stdout": "", "stdout_size": 0, "stderr": "wc: 'a b': No such file or directory\n", "stderr_size": 37}
 *
 * Always these members, in this order. Null is what there is not: the exit status of a job that did not exit, times of one that
 * was not started, memory that is not known. `state` is one of the words of job_state_name (job/job.h). Times of a processor
 * and `seconds` are seconds, memory and sizes are bytes.
 *
 * Of each output the first OUTPUT_RECORDED bytes are told: all of it is there if they are as many as its size says. A text
 * that is no UTF-8 is an object, {"base64": "..."}; what was cut in the midst of a character is told without that.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include <salp/error.h>

#include "job/json.h"
#include "map/watchers.h"

struct records {
    struct job_watcher watcher;
    struct output **output;
    struct job_json json;
    char *bytes; /* OUTPUT_RECORDED of them */
};

static void put_values(struct job_json *json, const struct job *job)
{
    job_json_raw(json, ", \"values\": [");
    for (int i = 0; i < job->value_count; i++) {
        job_json_raw(json, i > 0 ? ", " : "");
        job_json_text(json, job->values[i], strlen(job->values[i]));
    }
    job_json_raw(json, "]");
}

static void put_number(struct job_json *json, const char *name, int64_t number, bool known)
{
    job_json_raw(json, name);
    if (known)
        job_json_number(json, number);
    else
        job_json_raw(json, "null");
}

static void put_string(struct job_json *json, const char *name, const char *text)
{
    job_json_raw(json, name);
    if (text)
        job_json_text(json, text, strlen(text));
    else
        job_json_raw(json, "null");
}

static void put_end(struct job_json *json, const struct job *job)
{
    put_string(json, ", \"state\": ", job_state_name(job->state));
    put_number(json, ", \"exit_status\": ", job->exit_status, job->exit_status >= 0);
    put_number(json, ", \"signal\": ", job->signal, job->signal > 0);
    put_string(json, ", \"error\": ", job->state == JOB_UNSTARTED ? salp_strerror(job->error) : NULL);
}

static void put_seconds(struct job_json *json, const char *name, int64_t nanoseconds, bool known)
{
    job_json_raw(json, name);
    if (known)
        job_json_seconds(json, nanoseconds);
    else
        job_json_raw(json, "null");
}

static void put_times(struct job_json *json, const struct job *job)
{
    bool known = job->started > 0;
    job_json_raw(json, ", \"started\": ");
    if (known)
        job_json_time(json, job->started);
    else
        job_json_raw(json, "null");
    put_seconds(json, ", \"seconds\": ", job->wall, known);
    put_seconds(json, ", \"user\": ", job->user, known);
    put_seconds(json, ", \"system\": ", job->system, known);
    put_number(json, ", \"peak_memory\": ", job->peak_memory, job->peak_memory > 0);
}

/* Returns 0 or an error of reading what was put aside. */
static int put_output(struct records *records, const struct job *job, int fd)
{
    static const char *const names[][2] = { { ", \"stdout\": ", ", \"stdout_size\": " },
                                            { ", \"stderr\": ", ", \"stderr_size\": " } };
    const struct job_text *text = fd == 1 ? &job->out : &job->err;
    int64_t there = output_recorded(*records->output, job, fd, records->bytes, OUTPUT_RECORDED);
    if (there < 0)
        return (int)there;
    size_t size = (size_t)there, whole;
    if (size < text->size && job_json_is_text(records->bytes, size, true, &whole))
        size = whole;
    job_json_raw(&records->json, names[fd - 1][0]);
    job_json_text(&records->json, records->bytes, size);
    put_number(&records->json, names[fd - 1][1], (int64_t)text->size, true);
    return 0;
}

static int put_record(struct records *records, const struct job *job)
{
    struct job_json *json = &records->json;
    job_json_clear(json);
    put_number(json, "{\"number\": ", (int64_t)job->number, true);
    put_number(json, ", \"slot\": ", job->slot, job->slot > 0 && job->state != JOB_SKIPPED);
    put_number(json, ", \"attempt\": ", job->attempt, job->attempt > 0);
    put_values(json, job);
    put_string(json, ", \"line\": ", job->line);
    put_end(json, job);
    put_times(json, job);
    int error = put_output(records, job, 1);
    if (error == 0)
        error = put_output(records, job, 2);
    job_json_raw(json, "}\n");
    return error < 0 ? error : json->error;
}

static int on_ended(struct job_watcher *watcher, const struct job *job, bool final)
{
    struct records *records = (struct records *)watcher;
    if (!final)
        return 0;
    int error = put_record(records, job);
    return error < 0 ? error
                     : output_say(*records->output, job, 1, records->json.buffer.data, records->json.buffer.size);
}

static int on_close(struct job_watcher *watcher)
{
    struct records *records = (struct records *)watcher;
    salp_buffer_free(&records->json.buffer);
    free(records->bytes);
    free(records);
    return 0;
}

struct job_watcher *map_records_new(struct output **output)
{
    struct records *records = calloc(1, sizeof *records);
    char *bytes = malloc(OUTPUT_RECORDED);
    if (!records || !bytes) {
        free(records);
        free(bytes);
        return NULL;
    }
    *records =
        (struct records){ .watcher = { .ended = on_ended, .close = on_close }, .output = output, .bytes = bytes };
    return &records->watcher;
}
