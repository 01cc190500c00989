/* The report of salp_worth as JSON (RFC 8259). SPDX-License-Identifier: MIT */
#include <errno.h>

#include <salp/worth.h>

#include "insight/words.h"

typedef struct page {
    salp_buffer *buffer;
    int error;
    bool first; /* nothing stands in the present object or array yet */
} page;

#define PRINT(p, ...) salp__print((p)->buffer, &(p)->error, __VA_ARGS__)

static void name(page *p, const char *key)
{
    PRINT(p, p->first ? "\"%s\":" : ",\"%s\":", key);
    p->first = false;
}

static void whole(page *p, const char *key, int64_t value)
{
    name(p, key);
    PRINT(p, "%lld", (long long)value);
}

static void count(page *p, const char *key, size_t value)
{
    name(p, key);
    if (value == SIZE_MAX)
        PRINT(p, "null");
    else
        PRINT(p, "%zu", value);
}

/* As text of printf it may be "1,5" where the program has set another locale, and "inf" is none: so in thousandths. */
static void number(page *p, const char *key, double value)
{
    name(p, key);
    if (!(value > -1e15 && value < 1e15)) {
        PRINT(p, "null");
        return;
    }
    long long thousandths = (long long)(value * 1000 + (value < 0 ? -0.5 : 0.5));
    long long size = thousandths < 0 ? -thousandths : thousandths;
    PRINT(p, "%s%lld.%03lld", thousandths < 0 ? "-" : "", size / 1000, size % 1000);
}

static void truth(page *p, const char *key, bool value)
{
    name(p, key);
    PRINT(p, value ? "true" : "false");
}

static void text(page *p, const char *key, const char *value)
{
    name(p, key);
    PRINT(p, "\"");
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            PRINT(p, "\\%c", *value);
        else if ((unsigned char)*value < 0x20)
            PRINT(p, "\\u%04x", *value);
        else
            PRINT(p, "%c", *value);
    }
    PRINT(p, "\"");
}

static void begin(page *p, const char *key)
{
    name(p, key);
    PRINT(p, "{");
    p->first = true;
}

static void end(page *p)
{
    PRINT(p, "}");
    p->first = false;
}

static void add_plan(page *p, const salp_worth_plan *plan)
{
    static const char *const ways[] = { "inline", "threads", "processes" };
    text(p, "way", ways[plan->way]);
    whole(p, "workers", plan->workers);
    whole(p, "time", plan->time);
    whole(p, "low", plan->low);
    whole(p, "high", plan->high);
    whole(p, "opening", plan->opening);
    whole(p, "working", plan->working);
    whole(p, "handing", plan->handing);
    number(p, "stretch", plan->stretch);
    truth(p, "stretched", plan->stretched);
    truth(p, "unsafe", plan->unsafe);
    whole(p, "measured", plan->measured);
}

static void add_costs(page *p, const char *key, const salp_worth_costs *costs)
{
    begin(p, key);
    number(p, "open", costs->open);
    number(p, "open_worker", costs->open_worker);
    number(p, "call", costs->call);
    number(p, "call_worker", costs->call_worker);
    number(p, "item", costs->item);
    number(p, "in_byte", costs->in_byte);
    number(p, "out_byte", costs->out_byte);
    number(p, "first_byte", costs->first_byte);
    end(p);
}

static void add_sample(page *p, const salp_worth_report *report)
{
    count(p, "count", report->count);
    count(p, "in_size", report->in_size);
    count(p, "out_size", report->out_size);
    truth(p, "kept", report->kept);
    count(p, "sampled", report->sampled);
    count(p, "failed", report->failed);
    whole(p, "sample_time", report->sample_time);
    whole(p, "crashes", report->crashes);
    count(p, "crash_index", report->crash_index);
    whole(p, "crash_signal", report->crash_signal);
    truth(p, "crash_beside", report->crash_beside);
    truth(p, "overdue", report->overdue);
    number(p, "item_time", report->item_time);
    number(p, "item_low", report->item_low);
    number(p, "item_high", report->item_high);
    number(p, "median", report->median);
    number(p, "most", report->most);
    number(p, "longest", report->longest);
    number(p, "cold", report->cold);
    number(p, "busy", report->busy);
    truth(p, "waits", report->waits);
    truth(p, "skewed", report->skewed);
    truth(p, "crowded", report->crowded);
    truth(p, "contended", report->contended);
}

static void add_machine(page *p, const salp_worth_report *report)
{
    whole(p, "data", report->data);
    whole(p, "cache_level", report->cache_level);
    name(p, "caches");
    for (int i = 0; i < 5; i++)
        PRINT(p, "%c%lld", i == 0 ? '[' : ',', (long long)report->caches[i]);
    PRINT(p, "]");
    whole(p, "processors", report->processors);
    number(p, "capacity", report->capacity);
    number(p, "others", report->others);
    add_costs(p, "threads", &report->threads);
    add_costs(p, "processes", &report->processes);
}

int salp_worth_json(const salp_worth_report *report, salp_buffer *buffer)
{
    if (!report || !buffer)
        return -EINVAL;
    page p = { .buffer = buffer, .first = true };
    PRINT(&p, "{");
    add_sample(&p, report);
    add_machine(&p, report);
    name(&p, "plans");
    PRINT(&p, "[");
    for (int i = 0; i < report->plan_count; i++) {
        PRINT(&p, i == 0 ? "{" : ",{");
        p.first = true;
        add_plan(&p, &report->plans[i]);
        end(&p);
    }
    PRINT(&p, "]");
    begin(&p, "best");
    add_plan(&p, &report->best);
    end(&p);
    count(&p, "chunk", report->chunk);
    count(&p, "claim", report->claim);
    count(&p, "break_even_threads", report->break_even_threads);
    count(&p, "break_even_processes", report->break_even_processes);
    text(&p, "reason", report->reason);
    PRINT(&p, "}\n");
    return p.error;
}
