/*
 * The tokens of make: taken from a pipe or a fifo that others share, and given back whatever happens.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "map/jobserver.h"

/* What is in the pipe, which is left as it is: "+++" */
static const char *content(int from, int to)
{
    static char bytes[64];
    int flags = fcntl(from, F_GETFL);
    assert_return_code(fcntl(from, F_SETFL, flags | O_NONBLOCK), errno);
    ssize_t size = read(from, bytes, sizeof bytes - 1);
    assert_return_code(fcntl(from, F_SETFL, flags), errno);
    bytes[size < 0 ? 0 : size] = '\0';
    if (size > 0)
        assert_int_equal(write(to, bytes, (size_t)size), size);
    return bytes;
}

static struct map_jobserver *open_server(const int ends[2], const char *format)
{
    char flags[100];
    struct map_jobserver *server;
    snprintf(flags, sizeof flags, format, ends[0], ends[1]);
    assert_int_equal(map_jobserver_open(&server, flags), 1);
    return server;
}

static void tokens_are_taken_and_given_back(void **state)
{
    (void)state;
    int ends[2];
    assert_return_code(pipe(ends), errno);
    assert_int_equal(write(ends[1], "abc", 3), 3);
    struct map_jobserver *server = open_server(ends, " -j4 --jobserver-auth=%d,%d -- X=1");
    assert_int_equal(map_jobserver_take(server), 1);
    assert_int_equal(map_jobserver_take(server), 1);
    assert_string_equal(content(ends[0], ends[1]), "c");
    map_jobserver_give(server);
    assert_string_equal(content(ends[0], ends[1]), "cb"); /* each token is the one that was taken */
    assert_int_equal(map_jobserver_take(server), 1);
    assert_int_equal(map_jobserver_take(server), 1);
    assert_int_equal(map_jobserver_take(server), 0);
    map_jobserver_give_all(server);
    assert_int_equal(strlen(content(ends[0], ends[1])), 3);
    map_jobserver_give(server); /* none is left to give */
    assert_int_equal(strlen(content(ends[0], ends[1])), 3);
    /* Others share the pipe: it blocks, as before. */
    assert_int_equal(fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0);
    map_jobserver_close(server);
    close(ends[0]);
    close(ends[1]);
}

static void the_last_one_that_is_named_counts(void **state)
{
    (void)state;
    int ends[2];
    assert_return_code(pipe(ends), errno);
    assert_int_equal(write(ends[1], "+", 1), 1);
    struct map_jobserver *server = open_server(ends, "--jobserver-auth=-2,-2 --jobserver-auth=%d,%d");
    assert_int_equal(map_jobserver_take(server), 1);
    map_jobserver_close(server);
    assert_int_equal(write(ends[1], "+", 1), 1);
    server = open_server(ends, "--jobserver-fds=%d,%d -j");
    assert_int_equal(map_jobserver_take(server), 1);
    map_jobserver_close(server);
    close(ends[0]);
    close(ends[1]);
}

static void it_may_be_a_fifo(void **state)
{
    (void)state;
    char folder[] = "/tmp/salp-jobserver-XXXXXX", path[64], flags[128];
    struct map_jobserver *server;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/fifo", folder);
    assert_return_code(mkfifo(path, 0600), errno);
    int fd = open(path, O_RDWR);
    assert_return_code(fd, errno);
    assert_int_equal(write(fd, "+", 1), 1);
    snprintf(flags, sizeof flags, "-j2 --jobserver-auth=fifo:%s -k", path);
    assert_int_equal(map_jobserver_open(&server, flags), 1);
    assert_int_equal(map_jobserver_take(server), 1);
    assert_int_equal(map_jobserver_take(server), 0);
    map_jobserver_give_all(server);
    assert_int_equal(map_jobserver_take(server), 1);
    map_jobserver_close(server);
    close(fd);
    unlink(path);
    rmdir(folder);
}

static void what_a_killed_fork_has_taken_is_given_back(void **state)
{
    (void)state;
    int ends[2], status;
    assert_return_code(pipe(ends), errno);
    assert_int_equal(write(ends[1], "abcd", 4), 4);
    struct map_jobserver *server = open_server(ends, "--jobserver-auth=%d,%d");
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 3; i++)
            (void)map_jobserver_take(server);
        map_jobserver_give(server);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(strlen(content(ends[0], ends[1])), 2);
    map_jobserver_give_all(server);
    assert_int_equal(strlen(content(ends[0], ends[1])), 4);
    map_jobserver_close(server);
    close(ends[0]);
    close(ends[1]);
}

static void there_may_be_none_or_none_to_reach(void **state)
{
    (void)state;
    struct map_jobserver *server;
    assert_int_equal(map_jobserver_open(&server, NULL), 0);
    assert_null(server);
    assert_int_equal(map_jobserver_open(&server, " -k --no-print-directory"), 0);
    assert_null(server);
    static const char *const broken[] = { "--jobserver-auth=-2,-2", "--jobserver-auth=900,901", "--jobserver-auth=x",
                                          "--jobserver-auth=fifo:/nowhere/fifo", "--jobserver-auth=" };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        assert_int_equal(map_jobserver_open(&server, broken[i]), -EBADF);
        assert_null(server);
    }
    map_jobserver_close(NULL);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("tokens are taken and given back", tokens_are_taken_and_given_back),
        TEST("the last one that is named counts", the_last_one_that_is_named_counts),
        TEST("it may be a fifo", it_may_be_a_fifo),
        TEST("what a killed fork has taken is given back", what_a_killed_fork_has_taken_is_given_back),
        TEST("there may be none, or none to reach", there_may_be_none_or_none_to_reach),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
