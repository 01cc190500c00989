/*
 * timeout.c - a deadline around work, clean-up that the deadline leaves alone, and whose deadline it was.
 *
 *     cc timeout.c $(pkg-config --cflags --libs salp) -o timeout
 *
 * Nothing here takes a time-out but the scopes. When the time of one is over, whatever waits inside returns -ETIMEDOUT,
 * however deep in other functions it is, and so does everything that would wait after it. All of this works in plain
 * threads as it does in tasks; here it runs in a task.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>

#include <salp.h>

typedef struct plan {
    int64_t step;    /* how long each of three steps takes */
    int64_t allowed; /* how long all of it may take */
} plan;

/* Takes leave of the other side, say: it waits, so it would end at once inside a scope that is over. */
static int say_goodbye(void)
{
    return salp_sleep(SALP_MILLISECONDS(5));
}

/* Knows nothing of deadlines, save that errors have to be passed on. */
static int work(int64_t step)
{
    int result = 0;
    for (int i = 0; i < 3 && result == 0; i++)
        result = salp_sleep(step);
    printf("  work: %s\n", salp_strerror(result));
    if (result < 0) {
        salp_scope shield;
        printf("  goodbye, in vain: %s\n", salp_strerror(say_goodbye()));
        salp_scope_shield(&shield, SALP_SECONDS(60)); /* out of reach of the deadlines outside, with one of its own */
        printf("  goodbye, behind a shield: %s\n", salp_strerror(say_goodbye()));
        salp_scope_close(&shield);
    }
    return result;
}

static int limited(void *arg)
{
    const plan *p = arg;
    salp_scope scope;
    salp_scope_open(&scope, p->allowed);
    int result = work(p->step);
    int own = salp_scope_close(&scope); /* has this very scope ended something? */
    if (own == -ETIMEDOUT)
        printf("  it was our own deadline\n");
    else
        printf("  our own deadline: %s\n", result == -ETIMEDOUT ? "was not the one" : "was kept");
    return own == -ETIMEDOUT ? 0 : result; /* our own deadline is dealt with; others are for those who have set them */
}

static int all(void *arg)
{
    int result;
    (void)arg;
    printf("enough time\n");
    if ((result = limited(&(plan){ .step = SALP_MILLISECONDS(1), .allowed = SALP_SECONDS(60) })) < 0)
        return result;
    printf("too little time\n");
    if ((result = limited(&(plan){ .step = SALP_SECONDS(3600), .allowed = SALP_MILLISECONDS(20) })) < 0)
        return result;
    printf("enough time, but not outside\n");
    salp_scope outside;
    salp_scope_open(&outside, SALP_MILLISECONDS(20));
    result = limited(&(plan){ .step = SALP_SECONDS(3600), .allowed = SALP_SECONDS(7200) });
    printf("outside\n  %s\n", salp_strerror(result));
    return salp_scope_close(&outside) == -ETIMEDOUT ? 0 : -EPROTO;
}

int main(void)
{
    int result = salp_run(all, NULL);
    if (result < 0) {
        fprintf(stderr, "timeout: %s\n", salp_strerror(result));
        return 1;
    }
    return 0;
}
