/*
 * Bells under several threads, or processes, at once: no wake-up is lost.
 *
 * A wait that is not ended by a ring although somebody has rung is seen by its deadline. The same check is made of
 * bells that are broken on purpose, and has to find that out: else it would show nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lockfree/bell.h"
#include "os/clock.h"
#include "os/futex.h"
#include "task/park.h"

enum { TRIES = 200 };

/* How one waits and rings. */
struct kind {
    bool looks_late;  /* broken: at the word only after the condition */
    bool counts_late; /* broken: rings after it has looked whether anybody sleeps */
    bool shared;
    int64_t patience; /* of a wait; past it, the wake-up is lost */
};

/* A ball that goes to and fro between two players, each with a bell. */
struct game {
    struct kind kind;
    salp__bell bells[2];
    atomic_int ball; /* how often it was sent */
    atomic_int rung; /* how many of these have been rung for, and when the last one was */
    _Atomic int64_t rung_at;
    atomic_int lost;    /* wake-ups */
    atomic_int stopped; /* by the one who lost one */
    int rounds;
};

static void ring_late(salp__bell *bell, bool shared)
{
    bool sleeps = atomic_load(&bell->sleepers) > 0;
    sched_yield();
    atomic_fetch_add(&bell->rings, 1);
    if (sleeps)
        salp__futex_wake(&bell->rings, 1, shared);
}

static void send(struct game *game, int player, int ball)
{
    atomic_store(&game->ball, ball);
    if (game->kind.counts_late)
        ring_late(&game->bells[1 - player], game->kind.shared);
    else
        salp__wake(&game->bells[1 - player], 1, game->kind.shared);
    atomic_store(&game->rung_at, salp__now());
    atomic_store(&game->rung, ball);
}

/* Waits until the ball was sent so often. false: the game is over. */
static bool receive(struct game *game, int player, int ball)
{
    salp__bell *bell = &game->bells[player];
    while (!atomic_load(&game->stopped)) {
        uint32_t seen = game->kind.looks_late ? 0 : salp__bell_look(bell);
        if (atomic_load(&game->ball) >= ball)
            return true;
        if (game->kind.looks_late || game->kind.counts_late)
            sched_yield(); /* makes likely on few processors what is to go wrong */
        if (game->kind.looks_late)
            seen = salp__bell_look(bell);
        salp__patience patience = ball % 3 == 0 ? SALP__LOOK_FIRST : SALP__SLEEP;
        int64_t deadline = salp__later(game->kind.patience);
        if (salp__park(bell, seen, deadline, game->kind.shared, patience) != -ETIMEDOUT)
            continue;
        /* The ring for this ball was over long before: nobody would ever have ended this wait. */
        if (atomic_load(&game->rung) >= ball && atomic_load(&game->rung_at) < deadline - game->kind.patience / 2) {
            atomic_fetch_add(&game->lost, 1);
            atomic_store(&game->stopped, 1);
        }
    }
    return false;
}

static void play(struct game *game, int player)
{
    for (int i = 0; i < game->rounds; i++) {
        if (player == 0)
            send(game, player, 2 * i + 1);
        if (!receive(game, player, 2 * i + (player == 0 ? 2 : 1)))
            return;
        if (player == 1)
            send(game, player, 2 * i + 2);
    }
}

static void *play_second(void *arg)
{
    play(arg, 1);
    return NULL;
}

static void play_with_thread(struct game *game)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, play_second, game), 0);
    play(game, 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static int64_t patience(void)
{
    return test_slow() ? SALP_SECONDS(200) : SALP_SECONDS(20);
}

/* ---- bells as they are ---- */

static void threads_lose_no_wake_up(void **state)
{
    struct game game = { .kind.patience = patience(), .rounds = test_scale(100000) };
    (void)state;
    play_with_thread(&game);
    assert_int_equal(atomic_load(&game.lost), 0);
    assert_int_equal(atomic_load(&game.ball), 2 * game.rounds);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(atomic_load(&game.bells[i].sleepers), 0);
        assert_int_equal(atomic_load(&game.bells[i].lookers), 0);
    }
}

static void processes_lose_no_wake_up(void **state)
{
    int status;
    (void)state;
    struct game *game = mmap(NULL, sizeof *game, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(game != MAP_FAILED);
    game->kind = (struct kind){ .shared = true, .patience = patience() };
    game->rounds = test_scale(50000);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        play(game, 1);
        _exit(0);
    }
    play(game, 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(atomic_load(&game->lost), 0);
    assert_int_equal(atomic_load(&game->ball), 2 * game->rounds);
    assert_int_equal(munmap(game, sizeof *game), 0);
}

/* ---- several who wait for one bell ---- */

enum { WORKERS = 3 };

/*
 * Tasks that all have to run at the same time: each waits for the others. So every ring for a task has to bring a worker
 * of its own, whether that one sleeps or looks.
 */
struct crowd {
    salp__bell work, met;
    atomic_int tasks;   /* nobody has taken */
    atomic_int meeting; /* who has a task */
    atomic_int left;
    atomic_int round;
    atomic_int lost;
    int rounds;
};

static bool take_task(struct crowd *crowd)
{
    int tasks = atomic_load(&crowd->tasks);
    while (tasks > 0 && !atomic_compare_exchange_weak(&crowd->tasks, &tasks, tasks - 1))
        continue;
    return tasks > 0;
}

static void *work(void *arg)
{
    struct crowd *crowd = arg;
    bool worked = false;
    while (atomic_load(&crowd->round) < crowd->rounds) {
        uint32_t seen = salp__bell_look(&crowd->work);
        if (!take_task(crowd)) {
            if (atomic_load(&crowd->round) < crowd->rounds)
                salp__park(&crowd->work, seen, SALP_FOREVER, false, worked ? SALP__LOOK_FIRST : SALP__SLEEP);
            worked = false;
            continue;
        }
        worked = true;
        if (atomic_fetch_add(&crowd->meeting, 1) + 1 == WORKERS)
            salp__wake(&crowd->met, INT_MAX, false);
        int64_t deadline = salp__later(patience());
        for (;;) {
            uint32_t before = salp__bell_look(&crowd->met);
            if (atomic_load(&crowd->meeting) >= WORKERS)
                break;
            if (salp__park(&crowd->met, before, deadline, false, SALP__SLEEP) == -ETIMEDOUT) {
                atomic_fetch_add(&crowd->lost, 1);
                atomic_store(&crowd->meeting, WORKERS);
                salp__wake(&crowd->met, INT_MAX, false);
            }
        }
        if (atomic_fetch_add(&crowd->left, 1) + 1 == WORKERS)
            salp__wake(&crowd->met, INT_MAX, false);
    }
    return NULL;
}

static void each_ring_brings_another_one(void **state)
{
    struct crowd crowd = { .rounds = test_scale(20000) };
    pthread_t threads[WORKERS];
    (void)state;
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &crowd), 0);
    for (int round = 1; round <= crowd.rounds && atomic_load(&crowd.lost) == 0; round++) {
        atomic_store(&crowd.meeting, 0);
        atomic_store(&crowd.left, 0);
        for (int i = 0; i < WORKERS; i++) {
            atomic_fetch_add(&crowd.tasks, 1);
            salp__wake(&crowd.work, 1, false);
        }
        for (;;) {
            uint32_t seen = salp__bell_look(&crowd.met);
            if (atomic_load(&crowd.left) >= WORKERS)
                break;
            salp__park(&crowd.met, seen, SALP_FOREVER, false, SALP__LOOK_FIRST);
        }
        /* Sometimes they have gone to sleep by the next round, mostly they look. */
        for (int i = 0; i < round % 7 * 10; i++)
            sched_yield();
    }
    atomic_store(&crowd.round, crowd.rounds);
    salp__wake(&crowd.work, INT_MAX, false);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&crowd.lost), 0);
}

/* ---- bells that are broken on purpose ---- */

static bool is_caught(struct kind kind)
{
    kind.patience = SALP_MILLISECONDS(200);
    for (int i = 0; i < TRIES; i++) {
        struct game game = { .kind = kind, .rounds = 1000 };
        play_with_thread(&game);
        if (atomic_load(&game.lost) > 0)
            return true;
    }
    return false;
}

static void broken_bells_are_caught(void **state)
{
    (void)state;
    assert_true(is_caught((struct kind){ .looks_late = true }));
    assert_true(is_caught((struct kind){ .counts_late = true }));
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_LIMIT("threads lose no wake-up", threads_lose_no_wake_up, 120),
        TEST_LIMIT("processes lose no wake-up", processes_lose_no_wake_up, 120),
        TEST_LIMIT("each ring brings another one", each_ring_brings_another_one, 120),
        TEST_LIMIT("broken bells are caught", broken_bells_are_caught, 120),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
