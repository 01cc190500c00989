/*
 * bank.c - a teller is killed in the midst of a transfer, with the books locked. The next one is told, and puts them right.
 *
 *     cc bank.c $(pkg-config --cflags --libs salp) -o bank
 *
 * Three tellers, each a process of its own, move money between accounts in shared memory; the program audits these all
 * the time. A teller locks the books for writing, an auditor for reading: so each audit finds the same sum. One of the
 * tellers is killed when it has taken money from one account and not yet put it into the other. Nobody waits for ever
 * because of that: whoever locks the books next has them with -EOWNERDEAD. What is half changed then only the program knows:
 * here a note, which is written before the accounts are touched, says how they were.
 *
 * With a mutex it is the same, but that only one is told.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

#include <salp.h>

enum { ACCOUNTS = 5, EACH = 100, TELLERS = 3, TRANSFERS = 2000, UNLUCKY = 1 };

/* Atomic, so that the compiler keeps the order of the stores: a killed process has made all up to one of them. */
typedef struct books {
    _Atomic long accounts[ACCOUNTS];
    _Atomic bool changing;
    _Atomic int from, to; /* that are being changed, */
    _Atomic long had[2];  /* and what they had before */
    _Atomic int mended;   /* so many times */
} books;

typedef struct teller {
    salp_rwlock *lock;
    books *books; /* in shared memory [lock] */
    int number;
} teller;

/* ---- for all ---- */

static void mend(books *b)
{
    if (b->changing) {
        b->accounts[b->from] = b->had[0];
        b->accounts[b->to] = b->had[1];
        b->changing = false;
    }
    b->mended++;
}

static int lock_to_write(salp_rwlock *lock, books *b)
{
    int result = salp_rwlock_lock_write(lock);
    if (result == -EOWNERDEAD) {
        mend(b); /* it is locked, as with 0 */
        result = 0;
    }
    return result;
}

static int lock_to_read(salp_rwlock *lock, books *b)
{
    int result = salp_rwlock_lock_read(lock);
    while (result == -EOWNERDEAD) {
        salp_rwlock_unlock(lock);
        result = lock_to_write(lock, b); /* who has only read cannot mend */
        if (result == 0) {
            salp_rwlock_unlock(lock);
            result = salp_rwlock_lock_read(lock);
        }
    }
    return result;
}

/* ---- what runs in a process of its own ---- */

static void transfer(books *b, int from, int to, long amount, bool dies)
{
    b->from = from;
    b->to = to;
    b->had[0] = b->accounts[from];
    b->had[1] = b->accounts[to];
    b->changing = true;
    b->accounts[from] -= amount;
    if (dies)
        raise(SIGKILL);
    b->accounts[to] += amount;
    b->changing = false;
}

static int serve(void *arg)
{
    const teller *t = arg;
    for (int i = 0; i < TRANSFERS; i++) {
        int error = lock_to_write(t->lock, t->books);
        if (error < 0)
            return error;
        int from = (i + t->number) % ACCOUNTS, to = (from + 1 + i % (ACCOUNTS - 1)) % ACCOUNTS;
        transfer(t->books, from, to, 1 + i % 17, t->number == UNLUCKY && i == TRANSFERS / 2);
        salp_rwlock_unlock(t->lock);
    }
    return 0;
}

/* ---- the program ---- */

/* false: it was not what it has to be, or there was an error. */
static bool audit(const teller *t)
{
    long sum = 0;
    if (lock_to_read(t->lock, t->books) < 0)
        return false;
    for (int i = 0; i < ACCOUNTS; i++)
        sum += t->books->accounts[i];
    salp_rwlock_unlock(t->lock);
    return sum == (long)ACCOUNTS * EACH;
}

static int finish(int number, salp_process *process)
{
    int status;
    int error = salp_process_wait(process, &status);
    if (error == 0 && status < 0)
        printf("teller %d was ended by signal %d\n", number, -status);
    else if (error == 0)
        printf("teller %d has made %d transfers\n", number, TRANSFERS);
    salp_process_close(process);
    return error;
}

static int run(teller t)
{
    salp_process *processes[TELLERS];
    int error = 0, started = 0;
    bool right = true;
    while (started < TELLERS && error == 0) {
        t.number = started;
        error =
            salp_process_start(&processes[started], serve, &t, &(salp_process_options){ .argument_size = sizeof t });
        if (error == 0)
            started++;
    }
    for (int i = 0; i < started; i++) {
        while (salp_process_alive(processes[i]))
            right &= audit(&t);
        int failure = finish(i, processes[i]);
        error = error < 0 ? error : failure;
    }
    right &= audit(&t);
    if (error == 0)
        printf("times that the books were put right: %d\n%s\n", t.books->mended,
               right ? "each audit has found all the money" : "money is missing");
    return error < 0 || right ? error : -EBADMSG;
}

int main(void)
{
    teller t = { 0 };
    salp_shared *shared = NULL;
    int error = salp_rwlock_open(&t.lock, &(salp_rwlock_options){ .shared = true });
    if (error == 0)
        error = salp_shared_array(&shared, 1, sizeof(books));
    if (error == 0) {
        t.books = salp_shared_data(shared);
        for (int i = 0; i < ACCOUNTS; i++)
            t.books->accounts[i] = EACH;
        error = run(t);
    }
    if (error < 0)
        fprintf(stderr, "bank: %s\n", salp_strerror(error));
    salp_shared_close(shared);
    salp_rwlock_close(t.lock);
    return error < 0;
}
