/*
 * The journal of salp map: what is in its tables, what is run again, and what becomes of it when the program is killed or
 * the disk is full.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <sqlite3.h>

#include "job/job.h"
#include "journal/journal.h"
#include "journal/notes.h"
#include "journal/siphash.h"
#include "journal/tables.h"

/* ---- a folder of its own, and what standard error says ---- */

static char folder[64];

static void enter(void)
{
    strcpy(folder, "/tmp/salp-journal-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
}

static void leave(void)
{
    char line[128];
    snprintf(line, sizeof line, "rm -rf %s", folder);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(system(line), 0);
}

static int kept_stderr;
static char heard_path[80];

static void hear(void)
{
    snprintf(heard_path, sizeof heard_path, "%s/heard", folder);
    int fd = open(heard_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    kept_stderr = dup(2);
    dup2(fd, 2);
    close(fd);
}

/* What was said since; all of it has to be there. */
static void heard(const char *text)
{
    char said[4000] = "";
    dup2(kept_stderr, 2);
    close(kept_stderr);
    int fd = open(heard_path, O_RDONLY);
    assert_true(read(fd, said, sizeof said - 1) >= 0);
    close(fd);
    if (!strstr(said, text))
        fail_msg("'%s' was not said, but: %s", text, said);
    if (!text[0])
        assert_string_equal(said, "");
}

/* ---- jobs ---- */

static const char *const command[] = { "convert", "{}" };

static struct journal_options options(const char *path)
{
    return (struct journal_options){ .path = path, .words = command, .word_count = 2, .slots = 2 };
}

static struct journal *open_journal(const struct journal_options *chosen)
{
    struct journal *journal = NULL;
    assert_int_equal(journal_open(&journal, chosen), 0);
    return journal;
}

static struct journal *begin(const char *path)
{
    struct journal_options chosen = options(path);
    return open_journal(&chosen);
}

static struct journal *resume(const char *path, bool failed)
{
    struct journal_options chosen = options(path);
    chosen.resume = !failed;
    chosen.resume_failed = failed;
    return open_journal(&chosen);
}

static void refused(const struct journal_options *chosen, int error, const char *text)
{
    struct journal *journal;
    hear();
    int result = journal_open(&journal, chosen);
    heard(text);
    assert_int_equal(result, error);
    assert_null(journal);
}

static int starts(struct journal *journal, const struct job *job)
{
    struct job_watcher *watcher = journal_watcher(journal);
    return watcher->starts(watcher, job);
}

static int ended(struct journal *journal, const struct job *job, bool final)
{
    struct job_watcher *watcher = journal_watcher(journal);
    return watcher->ended(watcher, job, final);
}

static int end(struct journal *journal)
{
    struct job_watcher *watcher = journal_watcher(journal);
    return watcher->close(watcher);
}

/* A job of one value, on slot 1. The values have to stay. */
static struct job new_job(uint64_t number, const char *const values[], int count)
{
    static const int64_t when = 1700000000 * SALP_SECONDS(1);
    return (struct job){ .number = number,
                         .slot = 1,
                         .attempt = 1,
                         .values = values,
                         .value_count = count,
                         .line = "convert it",
                         .exit_status = -1,
                         .started = when + (int64_t)number };
}

static void run_job(struct journal *journal, struct job *job, enum job_state state, int exit_status, bool final)
{
    job->state = JOB_RUNNING;
    assert_int_equal(starts(journal, job), 0);
    job->state = state;
    job->exit_status = exit_status;
    job->wall = SALP_SECONDS(2);
    assert_int_equal(ended(journal, job, final), 0);
}

/* Asks for each value of the list whether it is wanted: '+', or not: '-'. Those that are, run, with this exit status. */
static void run_list(struct journal *journal, const char *const values[], const char *wanted, int exit_status)
{
    for (int i = 0; wanted[i]; i++) {
        struct job job = new_job((uint64_t)i + 1, &values[i], 1);
        assert_int_equal(journal_wants(journal, &job), wanted[i] == '+');
        assert_int_equal(job.state, wanted[i] == '+' ? JOB_WAITING : JOB_SKIPPED);
        if (wanted[i] == '+')
            run_job(journal, &job, exit_status == 0 ? JOB_DONE : JOB_FAILED, exit_status, true);
        else
            assert_int_equal(ended(journal, &job, true), 0);
    }
}

/* ---- what is in it ---- */

/* The first column of the rows, as text, with commas between them; or what is wrong. Also while somebody writes it. */
static char *ask(const char *path, const char *sql)
{
    static char answer[4000];
    sqlite3 *db;
    answer[0] = '\0';
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL);
    sqlite3_busy_timeout(db, 10000);
    if (result == SQLITE_OK)
        result = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    while (result == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        size_t used = strlen(answer);
        snprintf(answer + used, sizeof answer - used, "%s%s", used ? "," : "", text ? text : "NULL");
    }
    if (result != SQLITE_OK)
        snprintf(answer, sizeof answer, "%s", sqlite3_errmsg(db));
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return answer;
}

/* Waits until the thread has written that much; the test's limit is the net. */
static void wait_until(const char *path, const char *sql, const char *answer)
{
    while (strcmp(ask(path, sql), answer) != 0)
        usleep(1000);
}

static void execute(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void a_job_is_a_row_with_all_that_is_known_of_it(void **state)
{
    (void)state;
    enter();
    struct journal_options chosen = options("j");
    chosen.memory_limit = 1 << 20;
    chosen.memory_limit_by = "cgroup";
    struct journal *journal = open_journal(&chosen);
    struct job job = new_job(7, (const char *const[]){ "x", "y z" }, 2);
    job.slot = 2;
    job.attempt = 1;
    assert_int_equal(journal_wants(journal, &job), 1);
    assert_int_equal(starts(journal, &job), 0);
    wait_until("j", "SELECT state || ifnull(ended, '-') || final FROM job", "running-0");
    job.state = JOB_KILLED;
    job.signal = SIGSEGV;
    job.wall = SALP_SECONDS(2);
    job.user = 11;
    job.system = 12;
    job.peak_memory = 13;
    job.out.size = 5000;
    job.out.head_size = 3;
    memcpy(job.out.head, "a\0b", 3);
    job.out.tail_size = 4;
    memcpy(job.out.tail, "tail", 4);
    job.err.size = job.err.head_size = 5;
    memcpy(job.err.head, "wrong", 5);
    assert_int_equal(ended(journal, &job, true), 0);
    assert_int_equal(end(journal), 0);

    assert_string_equal(
        ask("j", "SELECT job || '|' || run || '|' || number || '|' || input || '|' || line || '|' || state || '|' ||"
                 " final || '|' || cause || '|' || attempt || '|' || slot || '|' || started || '|' ||"
                 " (ended - started) || '|' || signal || '|' || user || '|' || system || '|' ||"
                 " peak_memory || '|' || out_size || '|' || err_size FROM job"),
        "1|1|7|x\ty z|convert it|killed|1|SIGSEGV|1|2|1700000000000000007|2000000000|11|11|12|13|5000|5");
    assert_string_equal(ask("j", "SELECT ifnull(exit_status, '-') || ifnull(block_size, '-') || length(key) FROM job"),
                        "--16");
    assert_string_equal(ask("j", "SELECT hex(out_head) || out_tail || err_head || ifnull(err_tail, '-') FROM output"),
                        "610062tailwrong-");
    assert_string_equal(ask("j", "SELECT text FROM word ORDER BY word"), "convert,{}");
    assert_string_equal(
        ask("j", "SELECT slots || '|' || memory_limit || '|' || memory_limit_by || '|' || (started > 0) || '|' ||"
                 " (ended >= started) || '|' || (host <> '') || '|' || (process > 1) || '|' ||"
                 " (folder LIKE '/tmp/salp-journal-%') || '|' || (version <> '') FROM run"),
        "2|1048576|cgroup|1|1|1|1|1|1");
    assert_string_equal(ask("j", "SELECT count(*) FROM retried"), "0");
    assert_int_equal(access("j-wal", F_OK), -1); /* also after a reader */
    leave();
}

static void bytes_come_back_as_they_were(void **state)
{
    (void)state;
    static const struct {
        const char *value, *type;
    } inputs[] = {
        { "", "text" },
        { "it's \"so\"\n; DROP TABLE job;--", "text" },
        { "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x9f", "text" },
        { "\xe4", "blob" },
        { "a\xc3", "blob" },
        { "\xc0\x80", "blob" },
        { "\xed\xa0\x80", "blob" },
        { "\xf4\x90\x80\x80", "blob" },
        { "\xe0\x80\x80", "blob" },
        { "\xff\xfe\x01", "blob" },
    };
    enum { INPUTS = sizeof inputs / sizeof *inputs };
    enter();
    struct journal *journal = begin("j");
    for (int i = 0; i < INPUTS; i++) {
        struct job job = new_job((uint64_t)i + 1, &inputs[i].value, 1);
        assert_int_equal(journal_wants(journal, &job), 1);
        run_job(journal, &job, JOB_DONE, 0, true);
    }
    assert_int_equal(end(journal), 0);
    for (int i = 0; i < INPUTS; i++) {
        char sql[200], bytes[200] = "";
        for (const char *next = inputs[i].value; *next; next++)
            sprintf(bytes + strlen(bytes), "%02X", (unsigned char)*next);
        snprintf(sql, sizeof sql, "SELECT hex(input) || typeof(input) FROM job WHERE number = %d", i + 1);
        strcat(bytes, inputs[i].type);
        assert_string_equal(ask("j", sql), bytes);
    }
    journal = resume("j", false);
    for (int i = 0; i < INPUTS; i++) {
        struct job job = new_job((uint64_t)i + 1, &inputs[i].value, 1);
        assert_int_equal(journal_wants(journal, &job), 0);
    }
    assert_int_equal(end(journal), 0);
    leave();
}

/* ---- what is run again ---- */

static const char *const letters[] = { "a", "b", "c", "d", "e", "f" };

static void what_is_done_is_not_run_again_wherever_it_stands(void **state)
{
    (void)state;
    enter();
    struct journal *journal = resume("j", false); /* a new one is simply begun */
    run_list(journal, letters + 1, "+++", 0);
    assert_int_equal(end(journal), 0);
    journal = resume("j", false);
    run_list(journal, letters, "+---+", 0);
    assert_int_equal(end(journal), 0);
    journal = resume("j", true);
    run_list(journal, letters, "-----+", 0);
    assert_int_equal(end(journal), 0);
    assert_string_equal(ask("j", "SELECT input || run || number || attempt FROM job ORDER BY input"),
                        "a211,b111,c121,d131,e251,f361");
    assert_string_equal(ask("j", "SELECT count(*) FROM retried"), "0");
    leave();
}

static void what_has_failed_is_run_again_if_that_is_asked_for(void **state)
{
    (void)state;
    enter();
    struct journal *journal = begin("j");
    run_list(journal, letters, "+++", 0);
    run_list(journal, letters + 3, "++", 7);
    assert_int_equal(end(journal), 0);

    hear();
    journal = resume("j", false);
    heard("salp map: journal 'j': 2 of its jobs failed before, not run again (--resume-failed does that)\n");
    run_list(journal, letters, "-----+", 0);
    assert_int_equal(end(journal), 0);

    hear();
    journal = resume("j", true);
    heard("");
    run_list(journal, letters, "---++-", 8);
    assert_int_equal(end(journal), 0);
    journal = resume("j", true);
    run_list(journal, letters, "---++-", 0);
    assert_int_equal(end(journal), 0);
    journal = resume("j", true);
    run_list(journal, letters, "------", 0);
    assert_int_equal(end(journal), 0);

    assert_string_equal(ask("j", "SELECT input || state || attempt || run || exit_status FROM job WHERE attempt > 1"),
                        "ddone340,edone340");
    assert_string_equal(ask("j", "SELECT job || cause || attempt || run FROM retried ORDER BY job, attempt"),
                        "4exit status 711,4exit status 823,5exit status 711,5exit status 823");
    leave();
}

static void a_job_that_is_tried_again_keeps_its_earlier_attempts(void **state)
{
    (void)state;
    enter();
    struct journal *journal = begin("j");
    struct job job = new_job(1, letters, 1);
    assert_int_equal(journal_wants(journal, &job), 1);
    job.err.size = job.err.head_size = 1;
    job.err.head[0] = '!';
    run_job(journal, &job, JOB_FAILED, 1, false);
    wait_until("j", "SELECT state || final || attempt FROM job", "failed01");
    assert_string_equal(ask("j", "SELECT err_head FROM output"), "!");
    job.attempt = 2;
    run_job(journal, &job, JOB_FAILED, 2, false);
    job.attempt = 3;
    job.err.size = job.err.head_size = 0;
    run_job(journal, &job, JOB_DONE, 0, true);
    assert_int_equal(end(journal), 0);
    assert_string_equal(ask("j", "SELECT state || final || attempt FROM job"), "done13");
    assert_string_equal(ask("j", "SELECT attempt || exit_status || err_size FROM retried ORDER BY attempt"), "111,221");
    assert_string_equal(ask("j", "SELECT count(*) FROM output"), "0");
    leave();
}

static void what_had_not_ended_for_good_is_run_again(void **state)
{
    (void)state;
    static const enum job_state states[] = { JOB_HALTED, JOB_FAILED, JOB_RUNNING };
    enter();
    struct journal *journal = begin("j");
    for (int i = 0; i < 3; i++) {
        struct job job = new_job((uint64_t)i + 1, &letters[i], 1);
        assert_int_equal(journal_wants(journal, &job), 1);
        if (states[i] == JOB_RUNNING)
            assert_int_equal(starts(journal, &job), 0);
        else
            run_job(journal, &job, states[i], 1, states[i] == JOB_HALTED);
    }
    assert_int_equal(end(journal), 0);
    journal = resume("j", false);
    run_list(journal, letters, "+++", 0);
    assert_int_equal(end(journal), 0);
    assert_string_equal(ask("j", "SELECT state || attempt FROM job"), "done2,done2,done2");
    assert_string_equal(ask("j", "SELECT state FROM retried ORDER BY job"), "halted,failed,running");
    leave();
}

static void the_same_input_several_times_is_several_jobs(void **state)
{
    (void)state;
    static const char *const list[] = { "x", "x", "y", "x", "x" };
    enter();
    struct journal *journal = begin("j");
    run_list(journal, list, "+++", 0);
    run_list(journal, list, "+", 1);
    assert_int_equal(end(journal), 0);
    journal = resume("j", true);
    run_list(journal, list, "---++", 0); /* the one that has failed, and one more than before */
    assert_int_equal(end(journal), 0);
    assert_string_equal(ask("j", "SELECT input || attempt FROM job ORDER BY job"), "x1,x1,y1,x2,x1");
    leave();
}

static void values_are_told_apart_by_more_than_their_letters(void **state)
{
    (void)state;
    static const struct {
        const char *values[2];
        int count;
    } inputs[] = { { { "a", "b" }, 2 }, { { "ab" }, 1 }, { { "a\tb" }, 1 }, { { "ab", "" }, 2 }, { { "", "ab" }, 2 } };
    enum { INPUTS = sizeof inputs / sizeof *inputs };
    enter();
    struct journal *journal = begin("j");
    for (int i = 0; i < INPUTS; i++) {
        struct job job = new_job((uint64_t)i + 1, inputs[i].values, inputs[i].count);
        assert_int_equal(journal_wants(journal, &job), 1);
        run_job(journal, &job, JOB_DONE, 0, true);
        assert_int_equal(end(journal), 0);
        journal = resume("j", false);
    }
    assert_int_equal(end(journal), 0);
    leave();
}

static void blocks_are_known_by_their_bytes(void **state)
{
    (void)state;
    static const char *const blocks[] = { "one\0\n", "two\0\n", "one\0\n", "one\0x" };
    enter();
    struct journal *journal = begin("j");
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3 + round; i++) {
            bool wanted = round == 0 || i == 3;
            struct job job = new_job((uint64_t)i + 1, NULL, 0);
            job.block = blocks[i];
            job.block_size = 5;
            assert_int_equal(journal_wants(journal, &job), wanted);
            if (wanted)
                run_job(journal, &job, JOB_DONE, 0, true);
        }
        assert_int_equal(end(journal), 0);
        if (round == 0)
            journal = resume("j", false);
    }
    assert_string_equal(ask("j", "SELECT ifnull(input, '-') || block_size FROM job"), "-5,-5,-5,-5");
    leave();
}

/* ---- who is refused ---- */

static void a_journal_with_jobs_is_not_begun_again(void **state)
{
    (void)state;
    enter();
    struct journal *journal = begin("j");
    assert_int_equal(end(journal), 0);
    journal = begin("j"); /* a run without a job is no harm */
    run_list(journal, letters, "++", 0);
    assert_int_equal(end(journal), 0);
    struct journal_options chosen = options("j");
    refused(&chosen, -EEXIST,
            "salp map: journal 'j': it has 2 jobs: go on with them by --resume or --resume-failed, or name");
    assert_string_equal(ask("j", "SELECT count(*) FROM run"), "2");
    leave();
}

static void another_command_is_refused_and_both_are_told(void **state)
{
    (void)state;
    enter();
    struct journal *journal = begin("j");
    run_list(journal, letters, "+", 0);
    assert_int_equal(end(journal), 0);
    struct journal_options chosen = options("j");
    chosen.resume = true;
    chosen.words = (const char *const[]){ "convert", "{}", "a b" };
    chosen.word_count = 3;
    refused(&chosen, -EINVAL, "in the journal: convert {}\n  now:            convert {} 'a b'\n");
    chosen.word_count = 1;
    refused(&chosen, -EINVAL, "in the journal: convert {}\n  now:            convert\n");
    chosen.words = (const char *const[]){ "convert", "{.}" };
    chosen.word_count = 2;
    refused(&chosen, -EINVAL, "now:            convert {.}\n");
    leave();
}

static void a_second_writer_is_told_who_is_the_first(void **state)
{
    (void)state;
    enter();
    int pipes[2][2];
    char byte;
    assert_int_equal(pipe(pipes[0]) | pipe(pipes[1]), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct journal *journal = begin("j");
        assert_int_equal(write(pipes[0][1], "x", 1), 1);
        assert_int_equal(read(pipes[1][0], &byte, 1), 1);
        _exit(end(journal));
    }
    assert_int_equal(read(pipes[0][0], &byte, 1), 1);
    char text[400], host[200];
    assert_int_equal(gethostname(host, sizeof host), 0);
    snprintf(text, sizeof text, "salp map: journal 'j': process %d on %s is writing it\n", (int)pid, host);
    struct journal_options chosen = options("j");
    refused(&chosen, -EBUSY, text);
    assert_int_equal(journal_tables_locked("j"), 1);
    assert_int_equal(write(pipes[1][1], "x", 1), 1);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(journal_tables_locked("j"), 0);
    assert_int_equal(end(begin("j")), 0);
    for (int i = 0; i < 2; i++) {
        close(pipes[i][0]);
        close(pipes[i][1]);
    }
    leave();
}

static void write_file(const char *path, const char *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

static void what_is_no_journal_is_refused_and_stays_as_it_is(void **state)
{
    (void)state;
    enter();
    char text[5000];
    memset(text, 'x', sizeof text);
    write_file("text", text, sizeof text);
    struct journal_options chosen = options("text");
    refused(&chosen, -EINVAL, "salp map: journal 'text': file is not a database\n");
    assert_int_equal(access("text-wal", F_OK), -1);

    execute("other", "CREATE TABLE mine(x)");
    chosen = options("other");
    refused(&chosen, -EINVAL, "'other': it is an SQLite database, but no journal\n");
    assert_string_equal(ask("other", "SELECT name FROM sqlite_schema"), "mine");

    assert_int_equal(end(begin("later")), 0);
    execute("later", "PRAGMA user_version = 2");
    chosen = options("later");
    refused(&chosen, -EINVAL, "made by another version of salp: its tables are of version 2, this one knows 1");

    chosen = options(".");
    refused(&chosen, -EISDIR, "Is a directory");
    chosen = options("none/j");
    refused(&chosen, -ENOENT, "No such file or directory");
    chosen = options("");
    refused(&chosen, -ENOENT, "No such file or directory");
    assert_int_equal(mkfifo("fifo", 0600), 0);
    chosen = options("fifo");
    refused(&chosen, -EINVAL, "it is no regular file");
    chosen = options("/dev/null");
    refused(&chosen, -EINVAL, "it is no regular file");
    leave();
}

static void a_file_that_cannot_be_written_is_refused(void **state)
{
    (void)state;
    uid_t user = geteuid();
    if (user == 0 && setresuid(65534, 65534, 0) < 0)
        test_skip("the superuser may write everything");
    enter();
    assert_int_equal(end(begin("j")), 0);
    assert_int_equal(chmod("j", 0400), 0);
    struct journal_options chosen = options("j");
    refused(&chosen, -EACCES, "salp map: journal 'j': Permission denied\n");
    assert_int_equal(chmod("j", 0600), 0);
    mkdir("closed", 0700);
    assert_int_equal(end(begin("closed/j")), 0);
    assert_int_equal(chmod("closed", 0500), 0);
    chosen = options("closed/k");
    refused(&chosen, -EACCES, "Permission denied");
    chosen = options("closed/j");
    refused(&chosen, -EROFS, "no file can be made beside it\n");
    assert_string_equal(ask("closed/j", "SELECT count(*) FROM run"), "1");
    assert_int_equal(chmod("closed", 0700), 0);

    /* One that was left as a file with a log, which has nothing in it. */
    struct tables_why why;
    sqlite3 *db;
    assert_int_equal(journal_tables_open(&db, "closed/log%?#", TABLES_LOG, &why), 0);
    assert_int_equal(sqlite3_exec(db, "INSERT INTO word VALUES(1, 'x')", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(chmod("closed", 0500), 0);
    assert_int_equal(journal_tables_read(&db, "closed/log%?#", &why), 0);
    sqlite3_close(db);
    assert_int_equal(chmod("closed", 0700), 0);
    leave();
    /* Else nobody could look for leaks. */
    assert_int_equal(setresuid(user, user, user), 0);
    prctl(PR_SET_DUMPABLE, 1);
}

static void names_are_names_of_files(void **state)
{
    (void)state;
    static const char *const names[] = { ":memory:", "file:x?mode=memory", "-", "a b'c\"\n", "empty" };
    enter();
    write_file("empty", "", 0); /* as mktemp leaves one */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct journal *journal = begin(names[i]);
        run_list(journal, letters, "+", 0);
        assert_int_equal(end(journal), 0);
        char path[100];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        assert_string_equal(ask(path, "SELECT input FROM job"), "a");
    }
    leave();
}

/* ---- violence ---- */

static void a_program_that_is_killed_loses_nothing_that_was_written(void **state)
{
    (void)state;
    enter();
    for (int round = 0; round < 3; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            struct journal *journal = resume("j", false);
            char name[20];
            const char *value = name;
            for (int i = 0;; i++) {
                snprintf(name, sizeof name, "%d", i);
                struct job job = new_job((uint64_t)i + 1, &value, 1);
                if (journal_wants(journal, &job) == 0)
                    continue;
                if (starts(journal, &job) < 0)
                    _exit(1);
                job.state = JOB_DONE;
                job.exit_status = 0;
                if (i % 10 != 9 && ended(journal, &job, true) < 0)
                    _exit(1);
            }
        }
        char sql[100], before[20];
        snprintf(sql, sizeof sql, "SELECT count(*) > 1000 FROM job WHERE state = 'done' AND run = %d", round + 1);
        wait_until("j", sql, "1");
        strcpy(before, ask("j", "SELECT count(*) FROM job WHERE state = 'done'"));
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_true(atoi(ask("j", "SELECT count(*) FROM job WHERE state = 'done'")) >= atoi(before));
        assert_string_equal(ask("j", "PRAGMA integrity_check"), "ok");
    }
    /* No input is there twice, although many were started again and again. */
    assert_string_equal(ask("j", "SELECT count(*) - count(DISTINCT input) FROM job"), "0");
    assert_string_equal(ask("j", "SELECT count(*) FROM run WHERE ended IS NULL"), "3");
    struct journal *journal = resume("j", false);
    static const char *const some[] = { "8", "9", "10" };
    run_list(journal, some, "-+-", 0);
    assert_int_equal(end(journal), 0);
    assert_string_equal(ask("j", "SELECT attempt FROM job WHERE input = '9'"), "4");
    leave();
}

/* Files may not grow beyond so many bytes: as a full disk, which is there again after a while. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* An input of 2000 bytes with a number. */
static const char *long_value(int number)
{
    static char value[2001];
    memset(value, 'x', sizeof value - 1);
    snprintf(value, sizeof value, "%d", number);
    value[strlen(value)] = ' ';
    return value;
}

/* Starts and ends jobs from this number on, at most so many, until the journal says no. Returns the number that it has refused. */
static int fill_up(struct journal *journal, int number, int most)
{
    for (; most > 0; number++, most--) {
        const char *value = long_value(number);
        struct job job = new_job((uint64_t)number + 1, &value, 1);
        assert_int_equal(journal_wants(journal, &job), 1);
        if (starts(journal, &job) < 0)
            break;
        job.state = JOB_DONE;
        job.exit_status = 0;
        ended(journal, &job, true);
    }
    return number;
}

enum { BEFORE = 20, NO_END = 10 * 1000 * 1000 };

/* With a journal that has some jobs, and room for not many more. */
static struct journal *nearly_full(void)
{
    char count[20];
    struct journal *journal = begin("j");
    fill_up(journal, 0, BEFORE);
    snprintf(count, sizeof count, "%d", BEFORE);
    wait_until("j", "SELECT count(*) FROM job WHERE state = 'done'", count);
    hear();
    limit_files(300 << 10);
    return journal;
}

static void a_full_disk_ends_the_run_and_loses_nothing_if_there_is_room_again(void **state)
{
    (void)state;
    enter();
    struct journal *journal = nearly_full();
    int run = fill_up(journal, BEFORE, NO_END);
    struct job job = new_job(1, letters, 1);
    assert_int_equal(journal_wants(journal, &job), 1);
    assert_int_equal(starts(journal, &job), -EFBIG);
    limit_files(RLIM_INFINITY);
    heard("salp map: journal 'j': File too large: no more jobs are started\n");
    assert_int_equal(end(journal), 0);
    char count[20];
    snprintf(count, sizeof count, "%d", run);
    assert_string_equal(ask("j", "SELECT count(*) FROM job WHERE state = 'done'"), count);
    leave();
}

static void what_a_full_disk_has_lost_is_told_and_run_again(void **state)
{
    (void)state;
    enter();
    struct journal *journal = nearly_full();
    int run = fill_up(journal, BEFORE, NO_END);
    int result = end(journal);
    limit_files(RLIM_INFINITY);
    heard("what has become of the last jobs is not in it");
    assert_int_equal(result, -EFBIG);
    int kept = atoi(ask("j", "SELECT count(*) FROM job WHERE state = 'done'"));
    assert_true(kept >= BEFORE && kept < run);
    assert_string_equal(ask("j", "PRAGMA integrity_check"), "ok");
    journal = resume("j", false);
    for (int i = 0; i < run; i++) {
        const char *value = long_value(i);
        struct job job = new_job((uint64_t)i + 1, &value, 1);
        assert_int_equal(journal_wants(journal, &job), i >= kept);
    }
    assert_int_equal(end(journal), 0);
    leave();
}

/* A disk of so many KiB that nobody else sees, to work in. */
static void enter_small_disk(const char *size)
{
    char options_of_it[40];
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
        test_skip("no file system may be mounted here");
    enter();
    snprintf(options_of_it, sizeof options_of_it, "size=%sk", size);
    assert_int_equal(mkdir("disk", 0700), 0);
    assert_int_equal(mount("none", "disk", "tmpfs", 0, options_of_it), 0);
    assert_int_equal(chdir("disk"), 0);
}

static void leave_small_disk(void)
{
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(umount("disk"), 0);
    leave();
}

static void expect_done(int count)
{
    char text[20];
    snprintf(text, sizeof text, "%d", count);
    assert_string_equal(ask("j", "SELECT count(*) FROM job WHERE state = 'done'"), text);
}

static void no_job_is_started_when_the_disk_is_nearly_full(void **state)
{
    (void)state;
    enter_small_disk("3000");
    struct journal *journal = begin("j");
    hear();
    /* In steps that are smaller than what is kept free. */
    int run = 0, before = -1;
    while (run - before == BEFORE || before < 0) {
        char count[20];
        before = run;
        run = fill_up(journal, run, BEFORE);
        snprintf(count, sizeof count, "%d", run);
        wait_until("j", "SELECT count(*) FROM job WHERE state = 'done'", count);
    }
    struct job job = new_job(1, letters, 1);
    assert_int_equal(journal_wants(journal, &job), 1);
    assert_int_equal(starts(journal, &job), -ENOSPC);
    heard("salp map: journal 'j': less than 1 MiB is left on its disk: no more jobs are started\n");
    /* What still runs is noted. */
    job = new_job((uint64_t)run + 1, letters, 1);
    assert_int_equal(journal_wants(journal, &job), 1);
    job.state = JOB_DONE;
    assert_int_equal(ended(journal, &job, true), -ENOSPC);
    assert_int_equal(end(journal), 0);
    expect_done(run + 1);
    leave_small_disk();
}

static void a_disk_that_others_fill_is_told_and_what_was_noted_waits_for_room(void **state)
{
    (void)state;
    static char megabyte[1 << 20];
    enter_small_disk("30000");
    struct journal *journal = begin("j");
    fill_up(journal, 0, 1);
    wait_until("j", "SELECT count(*) FROM job WHERE state = 'done'", "1");
    hear();
    int fd = open("filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    while (write(fd, megabyte, sizeof megabyte) > 0)
        continue;
    close(fd);
    int run = fill_up(journal, 1, NO_END);
    assert_int_equal(unlink("filler"), 0);
    assert_int_equal(end(journal), 0);
    heard(": no more jobs are started\n");
    expect_done(run);
    leave_small_disk();
}

/* ---- the parts ---- */

static void notes_of_short_jobs_are_one(void **state)
{
    (void)state;
    struct journal_notes notes = { 0 };
    struct job first = new_job(1, letters, 1), second = new_job(2, letters + 1, 1);
    first.note.row = 1;
    second.note.row = 2;
    second.slot = 9;
    assert_int_equal(journal_notes_add(&notes, &first, NOTE_STARTS), 0);
    assert_int_equal(journal_notes_add(&notes, &second, NOTE_STARTS), 0);
    first.state = JOB_DONE;
    assert_int_equal(journal_notes_add(&notes, &first, NOTE_ENDED_FOR_GOOD), 0);
    assert_int_equal(notes.count, 2);
    const struct journal_note *note = journal_notes_next(&notes, NULL);
    assert_int_equal(note->row, 2);
    assert_true(note->starts && !note->has_ended && note->state == JOB_RUNNING);
    note = journal_notes_next(&notes, note);
    assert_int_equal(note->row, 1);
    assert_true(note->starts && note->has_ended && note->final && note->state == JOB_DONE);
    assert_memory_equal(note->bytes + note->begin[NOTE_INPUT], "a", 1);
    assert_null(journal_notes_next(&notes, note));

    /* Its start has been taken to be written: the end is a note of its own. */
    journal_notes_clear(&notes);
    second.state = JOB_DONE;
    assert_int_equal(journal_notes_add(&notes, &second, NOTE_ENDED), 0);
    note = journal_notes_next(&notes, NULL);
    assert_true(!note->starts && note->has_ended && !note->final);
    assert_int_equal(notes.count, 1);
    journal_notes_free(&notes);
}

static void the_other_way_of_commits_is_no_different(void **state)
{
    (void)state;
    enter();
    struct tables_why why;
    sqlite3 *db;
    assert_int_equal(journal_tables_open(&db, "j", TABLES_ROLL_BACK, &why), 0);
    assert_int_equal(sqlite3_exec(db, "INSERT INTO word VALUES(1, 'x')", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(access("j-wal", F_OK), -1);
    sqlite3_close(db);
    assert_string_equal(ask("j", "PRAGMA journal_mode"), "delete");
    assert_int_equal(journal_tables_open(&db, "j", TABLES_BY_PLACE, &why), 0);
    sqlite3_close(db);
    assert_string_equal(ask("j", "SELECT text FROM word"), "x");
    leave();
}

/* The first and the last of the reference's vectors: key 00 01 .. 0f, input 00 01 .., 128 bits. */
static void the_hash_is_siphash(void **state)
{
    (void)state;
    static const unsigned char expected[2][16] = {
        { 0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93 },
        { 0x51, 0x50, 0xd1, 0x77, 0x2f, 0x50, 0x83, 0x4a, 0x50, 0x3e, 0x06, 0x9a, 0x97, 0x3f, 0xbd, 0x7c },
    };
    unsigned char key[16], input[63];
    for (int i = 0; i < 63; i++)
        input[i] = (unsigned char)i;
    memcpy(key, input, sizeof key);
    uint64_t words[2], result[2];
    memcpy(words, key, sizeof words);
    struct journal_siphash hash;
    journal_siphash_begin(&hash, words);
    journal_siphash_end(&hash, result);
    assert_memory_equal(result, expected[0], 16);
    for (size_t piece = 1; piece <= 63; piece++) {
        journal_siphash_begin(&hash, words);
        for (size_t done = 0; done < 63; done += piece)
            journal_siphash_add(&hash, input + done, piece < 63 - done ? piece : 63 - done);
        journal_siphash_end(&hash, result);
        assert_memory_equal(result, expected[1], 16);
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a job is a row with all that is known of it", a_job_is_a_row_with_all_that_is_known_of_it),
        TEST("bytes come back as they were", bytes_come_back_as_they_were),
        TEST("what is done is not run again, wherever it stands", what_is_done_is_not_run_again_wherever_it_stands),
        TEST("what has failed is run again if that is asked for", what_has_failed_is_run_again_if_that_is_asked_for),
        TEST("a job that is tried again keeps its earlier attempts",
             a_job_that_is_tried_again_keeps_its_earlier_attempts),
        TEST("what had not ended for good is run again", what_had_not_ended_for_good_is_run_again),
        TEST("the same input several times is several jobs", the_same_input_several_times_is_several_jobs),
        TEST("values are told apart by more than their letters", values_are_told_apart_by_more_than_their_letters),
        TEST("blocks are known by their bytes", blocks_are_known_by_their_bytes),
        TEST("a journal with jobs is not begun again", a_journal_with_jobs_is_not_begun_again),
        TEST("another command is refused, and both are told", another_command_is_refused_and_both_are_told),
        TEST("a second writer is told who is the first", a_second_writer_is_told_who_is_the_first),
        TEST("what is no journal is refused, and stays as it is", what_is_no_journal_is_refused_and_stays_as_it_is),
        TEST("a file that cannot be written is refused", a_file_that_cannot_be_written_is_refused),
        TEST("names are names of files", names_are_names_of_files),
        TEST("a program that is killed loses nothing that was written",
             a_program_that_is_killed_loses_nothing_that_was_written),
        TEST("a full disk ends the run, and loses nothing if there is room again",
             a_full_disk_ends_the_run_and_loses_nothing_if_there_is_room_again),
        TEST("what a full disk has lost is told, and run again", what_a_full_disk_has_lost_is_told_and_run_again),
        TEST("no job is started when the disk is nearly full", no_job_is_started_when_the_disk_is_nearly_full),
        TEST("a disk that others fill is told, and what was noted waits for room",
             a_disk_that_others_fill_is_told_and_what_was_noted_waits_for_room),
        TEST("notes of short jobs are one", notes_of_short_jobs_are_one),
        TEST("the other way of commits is no different", the_other_way_of_commits_is_no_different),
        TEST("the hash is SipHash", the_hash_is_siphash),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
