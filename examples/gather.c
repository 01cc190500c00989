/*
 * gather.c - several questions at once, and their answers together; one that fails cancels the others.
 *
 *     cc gather.c $(pkg-config --cflags --libs salp) -o gather
 *
 * Each task of the group fills in its own question, so that nothing has to be locked or collected. Closing the group
 * waits for all of them, and tells the first failure; what became of each one stands in its question.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>

#include <salp.h>

enum { COUNT = 3, SILENT = -1000 };

typedef struct question {
    const char *city;
    int64_t takes; /* how long the answer is on its way */
    int answer;    /* degrees; or SILENT: the other side has none */
    int result;    /* of asking: 0 or a negative error */
    int degrees;
} question;

/* Stands for a talk with a server: waits, and then has an answer or an error. */
static int ask(void *arg)
{
    question *q = arg;
    q->result = salp_sleep(q->takes); /* -ECANCELED when another one has failed */
    if (q->result == 0)
        q->result = q->answer == SILENT ? -ENODATA : 0;
    if (q->result == 0)
        q->degrees = q->answer;
    return q->result; /* a negative one makes the group cancel the others */
}

/* Asks all, and returns when none of them is under way any more. */
static int gather(void *arg)
{
    question *questions = arg;
    salp_group group;
    salp_group_open(&group);
    int result = 0;
    for (int i = 0; i < COUNT; i++)
        questions[i].result = -ECANCELED; /* unless it is asked */
    for (int i = 0; i < COUNT && result == 0; i++)
        result = salp_go(&group, ask, &questions[i]);
    if (result < 0)
        salp_group_cancel(&group); /* not all could be started */
    int failure = salp_group_close(&group);
    return result < 0 ? result : failure;
}

static int show(const char *title, question questions[COUNT])
{
    int result = salp_run(gather, questions);
    printf("%s: %s\n", title, salp_strerror(result));
    for (int i = 0; i < COUNT; i++) {
        if (questions[i].result == 0)
            printf("  %s: %d degrees\n", questions[i].city, questions[i].degrees);
        else
            printf("  %s: %s\n", questions[i].city, salp_strerror(questions[i].result));
    }
    return result;
}

int main(void)
{
    question all_answer[COUNT] = {
        { .city = "Lisbon", .takes = SALP_MILLISECONDS(30), .answer = 24 },
        { .city = "Oslo", .takes = SALP_MILLISECONDS(10), .answer = 9 },
        { .city = "Quito", .takes = SALP_MILLISECONDS(20), .answer = 15 },
    };
    /* Oslo has nothing to say after Quito has answered, and nobody waits an hour for Lisbon then. */
    question one_fails[COUNT] = {
        { .city = "Lisbon", .takes = SALP_SECONDS(3600), .answer = 24 },
        { .city = "Oslo", .takes = SALP_MILLISECONDS(20), .answer = SILENT },
        { .city = "Quito", .takes = SALP_MILLISECONDS(10), .answer = 15 },
    };
    int first = show("all answer", all_answer);
    int second = show("one fails", one_fails);
    return first == 0 && second == -ENODATA ? 0 : 1;
}
