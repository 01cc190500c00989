/*
 * lives.c - the cases of pool-salp about workers coming and going, and about memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cases.h"
#include "twin.h"
#include "work.h"

/* Memory that is really there, in small pages as a program that grew has them: what a fork has to copy the tables of. */
static void become_large(size_t mebibytes)
{
    size_t size = mebibytes << 20;
    if (size == 0)
        return;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        bench_fail("no memory for %zu MiB", mebibytes);
    madvise(memory, size, MADV_NOHUGEPAGE);
    memset(memory, 1, size);
}

/*
 * Opening, one apply, closing, in a program with `resident` MiB of memory. Prints, in turn, "forks NANOSECONDS" (three
 * forks of this same program) and "open NANOSECONDS".
 */
void bench_case_open(void)
{
    long count = bench_number("count", 10);
    become_large((size_t)bench_number("resident", 0));
    for (int i = 0; i <= count; i++) {
        int64_t forks = bench_forks(3);
        int square = -1;
        int64_t start = bench_now();
        salp_pool *pool = bench_pool_open(NULL);
        int error = salp_apply(pool, bench_square, &i, sizeof i, &square, sizeof square, NULL);
        bench_pool_close(pool);
        int64_t time = bench_now() - start;
        bench_ok("salp_apply", error);
        if (square != i * i)
            bench_fail("the square of %d is not %d", i, square);
        if (i > 0) {
            bench_print("forks", forks);
            bench_print("open", time);
        }
    }
}

/* ---- a worker killed in the middle ---- */

enum { BIRTHS_MAX = 4096 };

/* What the workers tell, in memory that they share with the program. */
struct story {
    _Atomic int births;
    pid_t born[BIRTHS_MAX]; /* the workers, in the order of their births */
    struct {
        int64_t start;
        pid_t worker;
    } items[]; /* when each item began, and in which worker */
};

static struct story *story;
static size_t victim;

static int tell_birth(void *arg)
{
    (void)arg;
    int number = atomic_fetch_add(&story->births, 1);
    if (number < BIRTHS_MAX)
        story->born[number] = getpid();
    return 0;
}

static int tell_and_spin(const void *in, void *out, void *context)
{
    size_t i = ((const struct bench_chain *)in)->seed - 1;
    story->items[i].start = bench_now();
    story->items[i].worker = getpid();
    if (i == victim)
        kill(getpid(), SIGKILL);
    return bench_spin(in, out, context);
}

/* From the victim's death to the first item of the worker that was born after those of the beginning; -1: none was. */
static int64_t time_to_successor(int workers, size_t count)
{
    if (atomic_load(&story->births) <= workers)
        return -1;
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < count; i++)
        if (story->items[i].worker == story->born[workers] && story->items[i].start < first)
            first = story->items[i].start;
    return first == INT64_MAX ? -1 : first - story->items[victim].start;
}

/*
 * An item kills its worker with SIGKILL when about half of them are done. Prints "successor NANOSECONDS", from the kill
 * to the first item of the worker that takes its place (-1 if the map ended before), and "lost ITEMS", those without a
 * result.
 */
void bench_case_kill(void)
{
    struct bench_work work = bench_work_new();
    if (work.job != bench_spin)
        bench_fail("the case kill needs items=spin");
    int workers = (int)bench_number("workers", 2);
    size_t story_size = sizeof *story + work.count * sizeof *story->items;
    /* At the beginning each worker gets a part of its own: in the middle of the last part. */
    victim = work.count - work.count / (2 * (size_t)workers);
    story = mmap(NULL, story_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int *errors = calloc(work.count, sizeof *errors);
    if (story == MAP_FAILED || !errors)
        bench_fail("no memory");
    salp_pool *pool = bench_pool_open(tell_birth);
    int error = salp_map(pool, tell_and_spin, work.in, work.in_size, work.out, work.out_size, work.count,
                         &(salp_map_options){ .chunk = (size_t)bench_number("chunk", 0), .errors = errors });
    if (error != SALP_ECRASHED || errors[victim] != SALP_ECRASHED)
        bench_fail("the death of a worker was told as: %s", salp_strerror(error));
    int64_t lost = 0;
    for (size_t i = 0; i < work.count; i++)
        lost += errors[i] < 0;
    /* The victim's own result is not there; put it in, and every result must be right. */
    bench_spin((struct bench_chain *)work.in + victim, (uint64_t *)work.out + victim, NULL);
    bench_work_check(&work);
    bench_print("successor", time_to_successor(workers, work.count));
    bench_print("lost", lost);
    bench_pool_close(pool);
    free(errors);
    munmap(story, story_size);
    bench_work_free(&work);
}

/* ---- memory ---- */

enum { BLOCK = 1000 };

static int add_bytes(const void *in, void *out, void *context)
{
    (void)context;
    const unsigned char *bytes = in;
    uint32_t sum = 0;
    for (int i = 0; i < BLOCK; i++)
        sum += bytes[i];
    *(uint32_t *)out = sum;
    return 0;
}

static void wait_for_line(void)
{
    char line[16];
    if (!fgets(line, sizeof line, stdin))
        bench_fail("nobody is there");
}

/*
 * A map over `count` blocks of 1000 bytes. Says "ready", waits for a line, runs the map `maps` times, says "done" and
 * waits for another line: whoever reads this measures the memory in between.
 */
void bench_case_memory(void)
{
    size_t count = (size_t)bench_number("count", 100000);
    unsigned char *in = malloc(count * BLOCK);
    uint32_t *out = calloc(count, sizeof *out);
    if (!in || !out)
        bench_fail("no memory");
    memset(out, 0xff, count * sizeof *out);
    for (size_t i = 0; i < count * BLOCK; i++)
        in[i] = (unsigned char)(i * 31 >> 3);
    salp_pool *pool = bench_pool_open(NULL);
    bench_print("ready", (int64_t)(count * BLOCK));
    wait_for_line();
    for (long k = bench_number("maps", 3); k > 0; k--)
        bench_ok("salp_map", salp_map(pool, add_bytes, in, BLOCK, out, sizeof *out, count, NULL));
    bench_print("done", 0);
    wait_for_line();
    for (size_t i = 0; i < count; i++) {
        uint32_t sum;
        add_bytes(in + i * BLOCK, &sum, NULL);
        if (sum != out[i])
            bench_fail("the sum of block %zu is wrong", i);
    }
    bench_pool_close(pool);
    free(in);
    free(out);
}
