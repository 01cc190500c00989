/*
 * JSON (RFC 8259), appended to a buffer. Texts are bytes of any kind: what is no UTF-8 becomes an object with one member,
 * {"base64": "..."}, so that nothing is lost and whoever expects text sees at once that it is none.
 *
 * The first error is kept in `error`, and nothing is appended after it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_JOB_JSON_H
#define CLI_JOB_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <salp/buffer.h>

struct job_json {
    salp_buffer buffer;
    int error; /* -ENOMEM */
};

/* These bytes, as they are: brackets, names, commas. */
void job_json_raw(struct job_json *json, const char *text);

/* A string in quotes, or {"base64": "..."}. */
void job_json_text(struct job_json *json, const void *bytes, size_t size);

void job_json_number(struct job_json *json, int64_t number);

/* Nanoseconds as seconds, with nine digits behind the point. */
void job_json_seconds(struct job_json *json, int64_t nanoseconds);

/* A time since 1970 as a string, in UTC: "2026-11-23T16:20:20.123456789Z" (RFC 3339). */
void job_json_time(struct job_json *json, int64_t nanoseconds);

/* Forgets what was appended, and the error; the memory stays. */
void job_json_clear(struct job_json *json);

/* Are these bytes UTF-8 (RFC 3629)? `cut`: they may end in the midst of a character, and *whole is told how many are whole ones. */
bool job_json_is_text(const void *bytes, size_t size, bool cut, size_t *whole);

#endif
