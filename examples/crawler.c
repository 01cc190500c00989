/*
 * crawler.c - workers behind a queue, which find more work while they work.
 *
 *     cc crawler.c $(pkg-config --cflags --libs salp) -o crawler
 *
 *                 .----- new pages ------.
 *                 v                      |
 *     main ---> jobs ---> worker, worker, worker, ... ---> reports ---> the one who counts
 *
 * An empty queue does not mean that the work is done: a worker may be about to put more. So each job that was taken is
 * reported with salp_queue_done, after its new jobs were put, and salp_queue_join waits until all that was ever put is
 * done. Then the queues are shut down one after the other, and everybody goes home.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <salp.h>

enum { WORKERS = 4, PAGES = 10 };

/* The web: whom the pages a, b, c, ... link to. Nobody links to i and j. */
static const char *const web[PAGES] = { "bcd", "ae", "afg", "a", "bh", "cg", "", "e", "aj", "a" };

typedef struct report {
    char page;
    size_t links;
} report;

typedef struct crawl {
    salp_queue *jobs;    /* char: pages to be read */
    salp_queue *reports; /* report */
    bool seen[PAGES];    /* of all workers: no lock, since they are tasks of one loop and do not wait in between */
    size_t links[PAGES]; /* of the one who counts */
} crawl;

/* Has a page read, once. */
static int want(crawl *c, char page)
{
    if (c->seen[page - 'a'])
        return 0;
    c->seen[page - 'a'] = true;
    return salp_queue_put(c->jobs, &page);
}

static int worker(void *arg)
{
    crawl *c = arg;
    report r;
    int result;
    while ((result = salp_queue_get(c->jobs, &r.page)) == 0) {
        const char *links = web[r.page - 'a'];
        r.links = strlen(links);
        result = salp_sleep(SALP_MILLISECONDS(r.links)); /* the network */
        for (; *links && result == 0; links++)
            result = want(c, *links);
        if (result == 0)
            result = salp_queue_put(c->reports, &r);
        salp_queue_done(c->jobs); /* last of all: until now this page could lead to others */
        if (result < 0)
            return result;
    }
    return result == -EPIPE ? 0 : result;
}

static int count(void *arg)
{
    crawl *c = arg;
    report r;
    int result;
    while ((result = salp_queue_get(c->reports, &r)) == 0)
        c->links[r.page - 'a'] += r.links; /* a page that is read twice would show */
    return result == -EPIPE ? 0 : result;
}

static int all(void *arg)
{
    crawl *c = arg;
    salp_group group;
    salp_group_open(&group);
    int result = salp_go(&group, count, c);
    for (int i = 0; i < WORKERS && result == 0; i++)
        result = salp_go(&group, worker, c);
    if (result == 0)
        result = want(c, 'a');
    if (result == 0)
        result = salp_queue_join(c->jobs); /* when a worker fails, this ends with -ECANCELED like all in the group */
    salp_queue_shutdown(c->jobs);          /* the workers end; */
    salp_queue_shutdown(c->reports);       /* all has been reported: who counts ends when he has counted it */
    int failure = salp_group_close(&group);
    return failure < 0 ? failure : result;
}

int main(void)
{
    crawl c = { 0 };
    /* The workers put jobs where they get them: with a bound, all of them might wait for room that nobody makes. */
    int result = salp_queue_open(&c.jobs, &(salp_queue_options){ .item_size = 1, .capacity = SALP_UNBOUNDED });
    if (result == 0)
        result = salp_queue_open(&c.reports, &(salp_queue_options){ .item_size = sizeof(report), .capacity = 2 });
    if (result == 0)
        result = salp_run(all, &c);
    salp_queue_close(c.reports);
    salp_queue_close(c.jobs);
    if (result < 0) {
        fprintf(stderr, "crawler: %s\n", salp_strerror(result));
        return 1;
    }
    for (int i = 0; i < PAGES; i++) {
        if (c.seen[i])
            printf("page %c: %zu links\n", 'a' + i, c.links[i]);
    }
    return 0;
}
