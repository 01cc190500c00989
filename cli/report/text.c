/*
 * How bytes are written as text, and numbers as people read them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "report/text.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include <salp/time.h>

#include "job/utf8.h"

typedef void write_ascii(FILE *file, unsigned char c);

static void write_letters(FILE *file, const char *bytes, size_t size, write_ascii *write)
{
    for (const char *next = bytes, *end = bytes + size; next < end;) {
        size_t letter = job_utf8_letter(next, (size_t)(end - next));
        if (letter == 1)
            write(file, (unsigned char)*next);
        else if (letter > 1)
            fwrite(next, 1, letter, file);
        else
            fputs("\xef\xbf\xbd", file);
        next += letter > 0 ? letter : 1;
    }
}

static void write_json_ascii(FILE *file, unsigned char c)
{
    if (c == '"' || c == '\\')
        fprintf(file, "\\%c", c);
    else if (c == '\n')
        fputs("\\n", file);
    else if (c < ' ' || c == 0x7f || c == '<' || c == '>' || c == '&')
        fprintf(file, "\\u%04x", c);
    else
        fputc(c, file);
}

void report_write_json(FILE *file, const char *bytes, size_t size)
{
    fputc('"', file);
    write_letters(file, bytes, size, write_json_ascii);
    fputc('"', file);
}

static void write_html_ascii(FILE *file, unsigned char c)
{
    switch (c) {
    case '&':
        fputs("&amp;", file);
        break;
    case '<':
        fputs("&lt;", file);
        break;
    case '>':
        fputs("&gt;", file);
        break;
    case '"':
        fputs("&quot;", file);
        break;
    case '\n':
    case '\t':
        fputc(c, file);
        break;
    default:
        if (c < ' ' || c == 0x7f)
            fputs("\xef\xbf\xbd", file);
        else
            fputc(c, file);
    }
}

void report_write_html(FILE *file, const char *bytes, size_t size)
{
    write_letters(file, bytes, size, write_html_ascii);
}

size_t report_excerpt(char to[REPORT_EXCERPT], const struct journal_bytes *head, const struct journal_bytes *tail,
                      uint64_t size)
{
    size_t before = head->size < JOB_EXCERPT ? head->size : JOB_EXCERPT;
    size_t after = tail->size < JOB_EXCERPT ? tail->size : JOB_EXCERPT;
    size_t used = before;
    if (before > 0)
        memcpy(to, head->data, before);
    if (after > 0 && size > before + after)
        used += (size_t)sprintf(to + used, "\n[%" PRIu64 " bytes are left out]\n", size - before - after);
    if (after > 0)
        memcpy(to + used, tail->data, after);
    return used + after;
}

/* ---- numbers ---- */

static struct report_text two_units(int64_t large, const char *large_name, int64_t small, const char *small_name)
{
    struct report_text text;
    if (small > 0)
        snprintf(text.text, sizeof text.text, "%" PRId64 " %s %" PRId64 " %s", large, large_name, small, small_name);
    else
        snprintf(text.text, sizeof text.text, "%" PRId64 " %s", large, large_name);
    return text;
}

struct report_text report_duration(int64_t time)
{
    struct report_text text;
    double seconds = (double)time / 1e9;
    int64_t whole = (int64_t)(seconds + 0.5);
    if (seconds < 0.9995e-3)
        snprintf(text.text, sizeof text.text, "%.3g µs", seconds * 1e6);
    else if (seconds < 0.9995)
        snprintf(text.text, sizeof text.text, "%.3g ms", seconds * 1e3);
    else if (seconds < 99.95)
        snprintf(text.text, sizeof text.text, "%.3g s", seconds);
    else if (whole < 3600)
        text = two_units(whole / 60, "min", whole % 60, "s");
    else if (whole < 24 * 3600)
        text = two_units(whole / 3600, "h", whole % 3600 / 60, "min");
    else
        text = two_units(whole / (24 * 3600), "d", whole % (24 * 3600) / 3600, "h");
    return text;
}

struct report_text report_number(double number)
{
    struct report_text text;
    snprintf(text.text, sizeof text.text, number < 999.5 ? "%.3g" : "%.0f", number);
    return text;
}

struct report_text report_size(uint64_t bytes)
{
    static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    struct report_text text;
    double size = (double)bytes / 1024;
    size_t unit = 0;
    while (size >= 1023.5 && unit + 1 < sizeof units / sizeof *units) {
        size /= 1024;
        unit++;
    }
    if (bytes < 1024)
        snprintf(text.text, sizeof text.text, "%" PRIu64 " B", bytes);
    else
        snprintf(text.text, sizeof text.text, size < 9.95 ? "%.1f %s" : "%.0f %s", size, units[unit]);
    return text;
}

struct report_text report_date(int64_t time)
{
    struct report_text text;
    struct tm parts = { 0 };
    time_t seconds = time / SALP_SECONDS(1);
    localtime_r(&seconds, &parts);
    strftime(text.text, sizeof text.text, "%Y-%m-%d %H:%M:%S", &parts);
    return text;
}

struct report_text report_timestamp(int64_t time)
{
    struct report_text text;
    struct tm parts = { 0 };
    time_t seconds = time / SALP_SECONDS(1);
    gmtime_r(&seconds, &parts);
    size_t size = strftime(text.text, sizeof text.text, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text.text + size, sizeof text.text - size, ".%09" PRId64 "Z", time % SALP_SECONDS(1));
    return text;
}
