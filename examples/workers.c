/*
 * workers.c - four processes take tasks from one queue, and put their answers into another one.
 *
 *     cc workers.c $(pkg-config --cflags --libs salp) -o workers
 *
 * The well-known program with two queues. Whichever worker is free takes the next task, so the answers come in any order.
 * A worker says when a task is done: so the program can wait for all of them (salp_queue_join), though it does not know
 * who does what. Then it shuts the queues down, and the workers end: no message is needed that says "stop". Should a
 * worker be killed while it has a task, the join does not wait for ever; it says -EOWNERDEAD.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>

#include <salp.h>

enum { WORKERS = 4, PRODUCTS = 20, SUMS = 10, TASKS = PRODUCTS + SUMS };

/* Copied from process to process: it may have no addresses in it. */
typedef struct task {
    char operation;
    int a, b;
} task;

typedef struct answer {
    task task;
    int value;
    int worker;
} answer;

typedef struct queues {
    salp_queue *tasks;
    salp_queue *answers;
} queues;

typedef struct worker {
    queues q;
    int number;
} worker;

/* ---- what runs in a process of its own ---- */

static int work(void *arg)
{
    const worker *w = arg;
    answer a = { .worker = w->number };
    int result;
    while ((result = salp_queue_get(w->q.tasks, &a.task)) == 0) {
        a.value = a.task.operation == '*' ? a.task.a * a.task.b : a.task.a + a.task.b;
        result = salp_queue_put(w->q.answers, &a); /* before it is done, so that it is there then */
        if (result == 0)
            result = salp_queue_done(w->q.tasks);
        if (result < 0)
            break;
    }
    return result == -EPIPE ? 0 : result; /* shut down and empty */
}

/* ---- the program ---- */

static int put_tasks(salp_queue *tasks)
{
    int error = 0;
    for (int i = 0; i < PRODUCTS && error == 0; i++)
        error = salp_queue_put(tasks, &(task){ '*', i, 7 });
    for (int i = 0; i < SUMS && error == 0; i++)
        error = salp_queue_put(tasks, &(task){ '+', i, 8 });
    return error;
}

static int print_answers(salp_queue *answers)
{
    answer a;
    int result;
    while ((result = salp_queue_get(answers, &a)) == 0)
        printf("worker %d says that %d %c %d = %d\n", a.worker, a.task.a, a.task.operation, a.task.b, a.value);
    return result == -EPIPE ? 0 : result;
}

/* What its function has returned, or an error. */
static int finish(salp_process *process)
{
    salp_process_ending ending;
    int error = salp_process_wait_ending(process, &ending);
    salp_process_close(process);
    return error < 0 ? error : ending.result;
}

static int run(queues q)
{
    salp_process *workers[WORKERS];
    int error = 0, started = 0;
    while (started < WORKERS && error == 0) {
        worker w = { .q = q, .number = started };
        error = salp_process_start(&workers[started], work, &w, &(salp_process_options){ .argument_size = sizeof w });
        if (error == 0)
            started++;
    }
    if (error == 0)
        error = put_tasks(q.tasks);
    if (error == 0)
        error = salp_queue_join(q.tasks);
    salp_queue_shutdown(q.tasks); /* also after a failure, else the workers would wait for ever */
    salp_queue_shutdown(q.answers);
    for (int i = 0; i < started; i++) {
        int failure = finish(workers[i]);
        error = error < 0 ? error : failure;
    }
    return error < 0 ? error : print_answers(q.answers);
}

int main(void)
{
    queues q = { 0 };
    int error = salp_queue_open(
        &q.tasks, &(salp_queue_options){ .item_size = sizeof(task), .capacity = WORKERS, .shared = true });
    if (error == 0)
        error = salp_queue_open(
            &q.answers, &(salp_queue_options){ .item_size = sizeof(answer), .capacity = TASKS, .shared = true });
    if (error == 0)
        error = run(q);
    if (error < 0)
        fprintf(stderr, "workers: %s\n", salp_strerror(error));
    salp_queue_close(q.answers);
    salp_queue_close(q.tasks);
    return error < 0;
}
