/* JSON, appended to a buffer. SPDX-License-Identifier: MIT */
#include "job/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <salp/time.h>

#include "job/utf8.h"

static void append(struct job_json *json, const void *bytes, size_t size)
{
    if (json->error == 0)
        json->error = salp_buffer_append(&json->buffer, bytes, size);
}

void job_json_raw(struct job_json *json, const char *text)
{
    append(json, text, strlen(text));
}

void job_json_number(struct job_json *json, int64_t number)
{
    char text[24];
    append(json, text, (size_t)snprintf(text, sizeof text, "%" PRId64, number));
}

void job_json_seconds(struct job_json *json, int64_t nanoseconds)
{
    char text[40];
    int64_t seconds = nanoseconds / SALP_SECONDS(1), rest = nanoseconds % SALP_SECONDS(1);
    append(json, text, (size_t)snprintf(text, sizeof text, "%" PRId64 ".%09" PRId64, seconds, rest));
}

void job_json_time(struct job_json *json, int64_t nanoseconds)
{
    char text[80], day[40];
    struct tm calendar;
    time_t seconds = nanoseconds / SALP_SECONDS(1);
    if (!gmtime_r(&seconds, &calendar) || strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &calendar) == 0) {
        job_json_raw(json, "null");
        return;
    }
    append(json, text,
           (size_t)snprintf(text, sizeof text, "\"%s.%09" PRId64 "Z\"", day, nanoseconds % SALP_SECONDS(1)));
}

void job_json_clear(struct job_json *json)
{
    json->buffer.size = 0;
    json->error = 0;
}

/* ---- texts ---- */

bool job_json_is_text(const void *bytes, size_t size, bool cut, size_t *whole)
{
    const char *text = bytes;
    size_t at = 0, length;
    while (at < size) {
        size_t found = job_utf8_match(text + at, size - at, &length);
        if (found == 0 || (found < length && !cut))
            return false;
        if (found < length)
            break;
        at += length;
    }
    if (whole)
        *whole = at;
    return true;
}

static void append_escaped(struct job_json *json, unsigned char c)
{
    static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* pairs */
    char text[8] = { '\\' };
    for (const char *pair = letters; *pair; pair += 2) {
        if (c == (unsigned char)*pair) {
            text[1] = pair[1];
            append(json, text, 2);
            return;
        }
    }
    append(json, text, (size_t)snprintf(text, sizeof text, "\\u%04x", c));
}

/* DEL is allowed to stand as it is, but terminals do not show it. */
static bool needs_escape(unsigned char c)
{
    return c < ' ' || c == '"' || c == '\\' || c == 0x7f;
}

static void append_string(struct job_json *json, const char *text, size_t size)
{
    append(json, "\"", 1);
    size_t begin = 0;
    for (size_t i = 0; i < size; i++) {
        if (!needs_escape((unsigned char)text[i]))
            continue;
        append(json, text + begin, i - begin);
        append_escaped(json, (unsigned char)text[i]);
        begin = i + 1;
    }
    append(json, text + begin, size - begin);
    append(json, "\"", 1);
}

/* RFC 4648. */
static void append_base64(struct job_json *json, const unsigned char *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        size_t there = size - i < 3 ? size - i : 3;
        unsigned bits = (unsigned)bytes[i] << 16;
        if (there > 1)
            bits |= (unsigned)bytes[i + 1] << 8;
        if (there > 2)
            bits |= bytes[i + 2];
        char four[4] = { digits[bits >> 18], digits[bits >> 12 & 63], digits[bits >> 6 & 63], digits[bits & 63] };
        for (size_t j = there + 1; j < 4; j++)
            four[j] = '=';
        append(json, four, sizeof four);
    }
}

void job_json_text(struct job_json *json, const void *bytes, size_t size)
{
    if (job_json_is_text(bytes, size, false, NULL)) {
        append_string(json, bytes, size);
        return;
    }
    job_json_raw(json, "{\"base64\": \"");
    append_base64(json, bytes, size);
    job_json_raw(json, "\"}");
}
