/*
 * When the next job may be started.
 *
 * Load and memory are looked at ten times a second at most. In between the load is taken to have grown by the jobs that were
 * started since, and to have shrunk by those that have ended: else a hundred would start before the system shows the first.
 * The load is the number of threads that run or could (the fourth field of /proc/loadavg), as GNU parallel has it, and not the
 * average of a minute, which would let jobs start for a minute before it tells.
 *
 * SPDX-License-Identifier: MIT
 */
#include "command/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <salp/loop.h>
#include <salp/sync.h>
#include <salp/task.h>

#include "map/slots.h"

static const int64_t look_again = SALP_MILLISECONDS(100);

/* ---- what the system says ---- */

static bool read_text(const char *path, char *text, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t size = read(fd, text, room - 1);
    close(fd);
    text[size < 0 ? 0 : size] = '\0';
    return size > 0;
}

int64_t map_memory_available(void)
{
    char text[4096];
    long long available;
    const char *at = read_text("/proc/meminfo", text, sizeof text) ? strstr(text, "MemAvailable:") : NULL;
    return at && sscanf(at, "MemAvailable: %lld", &available) == 1 ? available * 1024 : -1;
}

/* Without the thread that asks. 0: not known. */
static double read_load(void)
{
    char text[128];
    int running;
    bool known = read_text("/proc/loadavg", text, sizeof text) && sscanf(text, "%*f %*f %*f %d", &running) == 1;
    return known && running > 0 ? running - 1 : 0;
}

/* ---- waiting ---- */

static bool is_limited(const struct map_gate *gate)
{
    return gate->options->load > 0 || gate->options->memory_free > 0;
}

static void look(struct map_gate *gate, int running)
{
    gate->looked_at = salp_now();
    gate->running_then = running;
    gate->load = gate->options->load > 0 ? read_load() : 0;
    gate->available = gate->options->memory_free > 0 ? map_memory_available() : -1;
}

static bool has_room(const struct map_gate *gate, int running)
{
    const struct map_options *o = gate->options;
    double most = o->load_percent ? o->load / 100 * map_slots_processors() : o->load;
    bool load = o->load == 0 || gate->load + running - gate->running_then < most;
    bool memory = o->memory_free == 0 || gate->available < 0 || gate->available >= o->memory_free;
    return load && memory;
}

/* `running` does not change meanwhile, or shrinks: nobody else starts any. */
static int wait_for_room(struct map_gate *gate, int running)
{
    int error = 0;
    if (salp_now() - gate->looked_at >= look_again)
        look(gate, running);
    while (error == 0 && !has_room(gate, running)) {
        error = salp_sleep(look_again);
        look(gate, running);
    }
    return error;
}

/* Once; else it would be called again and again as long as nobody takes the token. */
static void on_token(int fd, unsigned events, void *arg)
{
    struct map_gate *gate = arg;
    (void)events;
    (void)salp_loop_watch(salp_loop_current(), fd, 0, on_token, gate);
    (void)salp_event_set(gate->token);
}

/* Until there is one, or the one that this program has by itself is free. */
static int wait_for_token(struct map_gate *gate)
{
    int error = 0, fd = map_jobserver_fd(gate->jobserver);
    while (error == 0 && gate->passed > 0 && map_jobserver_take(gate->jobserver) == 0) {
        (void)salp_event_clear(gate->token);
        error = salp_loop_watch(salp_loop_current(), fd, SALP_READABLE, on_token, gate);
        if (error == 0)
            error = salp_event_wait(gate->token);
        if (error < 0)
            (void)salp_loop_watch(salp_loop_current(), fd, 0, on_token, gate);
    }
    return error;
}

static int take_token(struct map_gate *gate)
{
    int error = gate->jobserver && gate->passed > 0 ? wait_for_token(gate) : 0;
    if (error == 0)
        gate->passed++;
    return error;
}

/* ---- the calls ---- */

int map_gate_open(struct map_gate *gate, const struct map_options *options, struct map_jobserver *jobserver)
{
    *gate = (struct map_gate){ .options = options, .jobserver = jobserver, .looked_at = -look_again };
    return jobserver ? salp_event_open(&gate->token, NULL) : 0;
}

void map_gate_close(struct map_gate *gate)
{
    salp_event_close(gate->token);
}

int map_gate_pass(struct map_gate *gate, int running)
{
    int error = take_token(gate);
    if (error < 0)
        return error;
    if (gate->options->delay > 0) {
        int64_t now = salp_now();
        if (now < gate->next_start)
            error = salp_sleep(gate->next_start - now);
    }
    if (error == 0 && is_limited(gate))
        error = wait_for_room(gate, running);
    if (error < 0)
        map_gate_leave(gate);
    else if (gate->options->delay > 0)
        gate->next_start = salp_now() + gate->options->delay;
    return error;
}

/* The first one needs no token, the last one has none. */
void map_gate_leave(struct map_gate *gate)
{
    gate->passed--;
    if (gate->jobserver && gate->passed > 0)
        map_jobserver_give(gate->jobserver);
    else if (gate->jobserver)
        (void)salp_event_set(gate->token);
}
