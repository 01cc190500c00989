/*
 * The report of salp_worth as a picture: time over workers, a line with its band for threads and for processes, a dashed
 * one for the loop. A measured time is a dot. Coordinates are whole numbers, so that no locale changes them.
 *
 *     time ^
 *          |- - - - - - - - in line
 *          | \____ threads
 *          +-----------------> workers
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include <salp/worth.h>

#include "insight/words.h"

enum { WIDTH = 720, HEIGHT = 420, LEFT = 90, RIGHT = 130, TOP = 50, BOTTOM = 50 };

typedef struct picture {
    const salp_worth_report *report;
    salp_buffer *buffer;
    int error;
    double most; /* time at the upper end */
    int workers; /* at the right end */
} picture;

#define PRINT(p, ...) salp__print((p)->buffer, &(p)->error, __VA_ARGS__)

static const char *const colors[] = { "#777777", "#0a7d5a", "#b2471d" };

static int x_of(const picture *p, int workers)
{
    return p->workers < 2 ? LEFT : LEFT + (WIDTH - LEFT - RIGHT) * (workers - 1) / (p->workers - 1);
}

static int y_of(const picture *p, double time)
{
    return HEIGHT - BOTTOM - (int)((HEIGHT - TOP - BOTTOM) * time / p->most + 0.5);
}

static void find_scale(picture *p)
{
    p->most = 1;
    p->workers = 1;
    for (int i = 0; i < p->report->plan_count; i++) {
        const salp_worth_plan *plan = &p->report->plans[i];
        double high = (double)(plan->measured > plan->high ? plan->measured : plan->high);
        p->most = high > p->most ? high : p->most;
        p->workers = plan->workers > p->workers ? plan->workers : p->workers;
    }
}

static void draw_axes(picture *p)
{
    char word[SALP__WORD];
    PRINT(p, "<path d=\"M%d %dV%dH%d\" fill=\"none\" stroke=\"#222222\"/>\n", LEFT, TOP, HEIGHT - BOTTOM,
          WIDTH - RIGHT);
    for (int i = 0; i <= 4; i++) {
        double time = p->most * i / 4;
        PRINT(p, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", LEFT - 8, y_of(p, time) + 4,
              salp__word_time(word, time));
    }
    int step = p->workers / 8 + 1;
    for (int k = 1; k <= p->workers; k += step)
        PRINT(p, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%d</text>\n", x_of(p, k), HEIGHT - BOTTOM + 18, k);
    PRINT(p, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">workers</text>\n", (LEFT + WIDTH - RIGHT) / 2,
          HEIGHT - 12);
}

static void draw_loop(picture *p, const salp_worth_plan *plan)
{
    int y = y_of(p, (double)plan->time);
    PRINT(p, "<path d=\"M%d %dH%d\" fill=\"none\" stroke=\"%s\" stroke-dasharray=\"6 4\"/>\n", LEFT, y, WIDTH - RIGHT,
          colors[plan->way]);
    PRINT(p, "<text x=\"%d\" y=\"%d\" fill=\"%s\">in line</text>\n", WIDTH - RIGHT + 8, y + 4, colors[plan->way]);
}

/* The line of a way with its name at the end; 0 points: nothing is drawn. */
static void draw_way(picture *p, salp_worth_way way, const char *title)
{
    const salp_worth_report *report = p->report;
    const salp_worth_plan *last = NULL;
    PRINT(p, "<polygon fill=\"%s\" fill-opacity=\"0.15\" points=\"", colors[way]);
    for (int i = 0; i < report->plan_count; i++) {
        if (report->plans[i].way == way)
            PRINT(p, "%d,%d ", x_of(p, report->plans[i].workers), y_of(p, (double)report->plans[i].low));
    }
    for (int i = report->plan_count - 1; i >= 0; i--) {
        if (report->plans[i].way == way)
            PRINT(p, "%d,%d ", x_of(p, report->plans[i].workers), y_of(p, (double)report->plans[i].high));
    }
    PRINT(p, "\"/>\n<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colors[way]);
    for (int i = 0; i < report->plan_count; i++) {
        if (report->plans[i].way != way)
            continue;
        last = &report->plans[i];
        PRINT(p, "%d,%d ", x_of(p, last->workers), y_of(p, (double)last->time));
    }
    PRINT(p, "\"/>\n");
    if (last)
        PRINT(p, "<text x=\"%d\" y=\"%d\" fill=\"%s\">%s</text>\n", x_of(p, last->workers) + 8,
              y_of(p, (double)last->time) + (way == SALP_WORTH_THREADS ? 12 : -4), colors[way], title);
}

static void draw_points(picture *p)
{
    for (int i = 0; i < p->report->plan_count; i++) {
        const salp_worth_plan *plan = &p->report->plans[i];
        if (plan->measured > 0)
            PRINT(p, "<circle cx=\"%d\" cy=\"%d\" r=\"4\" fill=\"%s\"/>\n", x_of(p, plan->workers),
                  y_of(p, (double)plan->measured), colors[plan->way]);
    }
    PRINT(p, "<circle cx=\"%d\" cy=\"%d\" r=\"8\" fill=\"none\" stroke=\"#222222\"/>\n",
          x_of(p, p->report->best.workers), y_of(p, (double)p->report->best.time));
}

int salp_worth_svg(const salp_worth_report *report, salp_buffer *buffer)
{
    if (!report || !buffer)
        return -EINVAL;
    picture p = { .report = report, .buffer = buffer };
    char plan[SALP__WORD], item[SALP__WORD];
    find_scale(&p);
    PRINT(&p,
          "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" "
          "font-size=\"13\">\n",
          WIDTH, HEIGHT);
    PRINT(&p, "<title>%zu items of %s: best is %s</title>\n", report->count, salp__word_time(item, report->item_time),
          salp__word_plan(plan, &report->best));
    PRINT(&p, "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", WIDTH, HEIGHT);
    PRINT(&p, "<text x=\"%d\" y=\"24\" font-size=\"15\">%zu items of %s: best is %s (ringed)</text>\n", LEFT,
          report->count, item, plan);
    draw_axes(&p);
    if (report->plan_count > 0)
        draw_loop(&p, &report->plans[0]);
    draw_way(&p, SALP_WORTH_THREADS, "threads");
    draw_way(&p, SALP_WORTH_PROCESSES, "processes");
    draw_points(&p);
    PRINT(&p, "</svg>\n");
    return p.error;
}
