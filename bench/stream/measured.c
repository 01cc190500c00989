/* The server that is measured; see measured.h. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* sched_setaffinity, pipe2 */
#include "measured.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server.h"

void bench_stay_on(const char *name)
{
    long processor = bench_number(name, -1);
    if (processor < 0)
        return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)processor, &set);
    bench_must("sched_setaffinity", sched_setaffinity(0, sizeof set, &set) == 0);
}

/* What the system refuses to the server, it refuses to who measures it. */
static _Noreturn void not_ready(const struct measured *server)
{
    int status;
    kill(server->pid, SIGTERM);
    if (waitpid(server->pid, &status, 0) == server->pid && WIFEXITED(status) && WEXITSTATUS(status) == SERVER_REFUSED)
        exit(SERVER_REFUSED);
    bench_fail("the server did not say at which port it is ready");
}

void measured_start(struct measured *server)
{
    int output[2];
    pid_t parent = getpid();
    bench_must("pipe2", pipe2(output, O_CLOEXEC) == 0);
    server->pid = fork();
    bench_must("fork", server->pid >= 0);
    if (server->pid == 0) {
        /* The server does not outlive the client, however that ends. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        bench_stay_on("server_processor");
        if (getppid() == parent && dup2(output[1], STDOUT_FILENO) >= 0)
            execvp(server->command[0], server->command);
        fprintf(stderr, "bench: %s: %s\n", server->command[0], strerror(errno));
        _exit(127);
    }
    close(output[1]);
    FILE *said = fdopen(output[0], "r");
    unsigned port;
    if (!said || fscanf(said, "ready %u", &port) != 1 || port == 0 || port > UINT16_MAX)
        not_ready(server);
    server->port = (uint16_t)port;
    fclose(said);
}

void measured_end(const struct measured *server)
{
    int status;
    bench_must("kill", kill(server->pid, SIGTERM) == 0);
    bench_must("waitpid", waitpid(server->pid, &status, 0) == server->pid);
    if (!(WIFEXITED(status) && WEXITSTATUS(status) == 0) && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM))
        bench_fail("the server ended with status %x", (unsigned)status);
}

int64_t measured_processor(const struct measured *server)
{
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(server->pid, &clock) != 0 || clock_gettime(clock, &time) != 0)
        bench_fail("the server has no clock");
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int64_t measured_sleeps(const struct measured *server)
{
    char path[300];
    int64_t sum = 0;
    snprintf(path, sizeof path, "/proc/%d/task", server->pid);
    DIR *threads = opendir(path);
    bench_must(path, threads);
    for (struct dirent *thread; (thread = readdir(threads));) {
        if (thread->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%s/status", server->pid, thread->d_name);
        int64_t count;
        if (bench_lines_there(path, (const char *const[]){ "voluntary_ctxt_switches:", NULL }, &count))
            sum += count; /* else that thread has just ended */
    }
    closedir(threads);
    return sum;
}

int64_t measured_memory(const struct measured *server)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", server->pid);
    int64_t pages = bench_lines(path, (const char *const[]){ "Private_", NULL });
    snprintf(path, sizeof path, "/proc/%d/status", server->pid);
    return 1024 * (pages + bench_lines(path, (const char *const[]){ "VmPTE:", NULL }));
}
