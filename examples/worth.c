/*
 * worth.c - is it worth a pool? Asks before the work is begun, and does as it is told.
 *
 *     cc worth.c $(pkg-config --cflags --libs salp) -o worth
 *     ./worth [text|json|svg]
 *
 * How many primes are there in each of some thousand ranges? The ranges lie higher and higher, so that an item takes longer
 * than the one before. salp_worth tries a few of them, says what each way would take and which is best; then the map is run
 * that way.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include <salp.h>

enum { COUNT = 4000, RANGE = 100 };

static int count_primes(const void *in, void *out, void *context)
{
    (void)context;
    int from = *(const int *)in, primes = 0;
    for (int n = from; n < from + RANGE; n++) {
        int divisor = 2;
        while (divisor * divisor <= n && n % divisor != 0)
            divisor++;
        primes += n >= 2 && divisor * divisor > n;
    }
    *(int *)out = primes;
    return 0;
}

static int print_report(const salp_worth_report *report, const char *form)
{
    salp_buffer text = { 0 };
    int error;
    if (strcmp(form, "json") == 0)
        error = salp_worth_json(report, &text);
    else if (strcmp(form, "svg") == 0)
        error = salp_worth_svg(report, &text);
    else
        error = salp_worth_text(report, &text);
    if (error == 0)
        fwrite(text.data, 1, text.size, stdout);
    salp_buffer_free(&text);
    return error;
}

/* The map, as the report says. */
static int run(const salp_worth_report *report, const int ranges[COUNT], int primes[COUNT])
{
    if (report->best.way == SALP_WORTH_INLINE) {
        for (int i = 0; i < COUNT; i++)
            count_primes(&ranges[i], &primes[i], NULL);
        return 0;
    }
    salp_pool *pool;
    salp_engine engine = report->best.way == SALP_WORTH_THREADS ? SALP_THREADS : SALP_PROCESSES;
    int error = salp_pool_open(&pool, &(salp_pool_options){ .engine = engine, .workers = report->best.workers });
    if (error < 0)
        return error;
    error = salp_map(pool, count_primes, ranges, sizeof *ranges, primes, sizeof *primes, COUNT,
                     &(salp_map_options){ .chunk = report->chunk });
    salp_pool_close(pool);
    return error;
}

int main(int argc, char **argv)
{
    static int ranges[COUNT], primes[COUNT];
    const char *form = argc > 1 ? argv[1] : "text";
    for (int i = 0; i < COUNT; i++)
        ranges[i] = i * RANGE;

    salp_worth_report report;
    int error = salp_worth(count_primes, ranges, sizeof *ranges, primes, sizeof *primes, COUNT, NULL, &report);
    if (error == 0)
        error = print_report(&report, form);
    if (error == 0)
        error = run(&report, ranges, primes);
    if (error < 0) {
        fprintf(stderr, "worth: %s\n", salp_strerror(error));
        return 1;
    }

    int sum = 0;
    for (int i = 0; i < COUNT; i++)
        sum += primes[i];
    fprintf(stderr, "%d primes below %d\n", sum, COUNT * RANGE);
    return 0;
}
