/*
 * Jobs from lists, files and standard input: what GNU parallel makes of the same lists, and what happens to those that are slow,
 * broken, or too long.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "input/source.h"
#include "job/memory.h"

/* What comes on standard input. */
enum way { FROM_FILE, FROM_PIPE };

struct run {
    struct input_options options;
    char *jobs; /* each job's values with '|' in between, jobs with '/' */
    size_t size;
    int result; /* of the last input_source_next */
    int opened; /* of input_source_open */
    int64_t total;
};

static void write_job(FILE *to, const struct job *job)
{
    if (job->number > 1)
        fputc('/', to);
    if (job->block)
        fwrite(job->block, 1, job->block_size, to);
    for (int i = 0; i < job->value_count; i++)
        fprintf(to, "%s%s", i > 0 ? "|" : "", job->values[i]);
}

static int run_all(void *arg)
{
    struct run *run = arg;
    struct input_source *source;
    run->opened = input_source_open(&source, &run->options);
    if (run->opened < 0)
        return 0;
    struct job *job = calloc(1, sizeof *job);
    EXPECT(job && (job->memory = job_memory_new()));
    FILE *to = open_memstream(&run->jobs, &run->size);
    EXPECT(to);
    uint64_t number = 0;
    for (;;) {
        job_clear(job);
        run->result = input_source_next(source, job);
        if (run->result <= 0)
            break;
        EXPECT(job->number == ++number);
        write_job(to, job);
    }
    EXPECT(input_source_next(source, job) == run->result);
    run->total = input_source_total(source);
    EXPECT(fclose(to) == 0);
    job_memory_free(job->memory);
    free(job);
    input_source_close(source);
    return 0;
}

/* Makes these bytes standard input. At most 64 KiB, which a pipe has room for. */
static void set_input(enum way way, const char *bytes, size_t size)
{
    int ends[2];
    if (way == FROM_PIPE) {
        assert_int_equal(pipe(ends), 0);
    } else {
        ends[0] = ends[1] = memfd_create("input", 0);
        assert_true(ends[0] >= 0);
    }
    assert_int_equal(write(ends[1], bytes, size), size);
    if (way == FROM_FILE)
        assert_int_equal(lseek(ends[0], 0, SEEK_SET), 0);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    close(ends[0]);
    if (way == FROM_PIPE)
        close(ends[1]);
}

static void run_with(struct run *run, enum way way, const char *bytes, size_t size)
{
    set_input(way, bytes, size);
    assert_int_equal(salp_run(run_all, run), 0);
}

/* The jobs that come of it, from a file and from a pipe. */
static void check(const struct input_options *options, const char *input, size_t size, const char *jobs)
{
    for (enum way way = FROM_FILE; way <= FROM_PIPE; way++) {
        struct run run = { .options = *options };
        if (!run.options.delimiters && run.options.delimiter == 0)
            run.options.delimiter = '\n';
        run_with(&run, way, input, size);
        assert_int_equal(run.opened, 0);
        assert_string_equal(run.jobs, jobs);
        assert_int_equal(run.result, 0);
        free(run.jobs);
    }
}

#define CHECK(input, jobs, ...) check(&(struct input_options){ __VA_ARGS__ }, input, strlen(input), jobs)

#define VALUES(...)                                                             \
    {                                                                           \
        .values = (const char *const[]){ __VA_ARGS__ },                         \
        .value_count = sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *) \
    }
#define LINKED(...)                                                             \
    {                                                                           \
        .linked = true, .values = (const char *const[]){ __VA_ARGS__ },         \
        .value_count = sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *) \
    }
#define LISTS(...)                                       \
    .lists = (const struct input_list[]){ __VA_ARGS__ }, \
    .list_count = sizeof((struct input_list[]){ __VA_ARGS__ }) / sizeof(struct input_list)

static const struct input_list standard_input = { .path = "-" };

static void each_line_is_a_job(void **state)
{
    (void)state;
    CHECK("a\nb\nc\n", "a/b/c", 0);
    CHECK("a\nb", "a/b", 0);
    CHECK("a\n\nb\n", "a//b", 0);
    CHECK("", "", 0);
    CHECK("\n", "", 0);
    CHECK("a\r\nb", "a\r/b", 0);
    CHECK(" a \n", " a ", 0);
}

static void what_ends_a_line_can_be_chosen(void **state)
{
    (void)state;
    CHECK("a;b\n;c", "a/b\n/c", .delimiter = ';');
    CHECK("a::b:c:::d", "a/b:c/:d", .delimiters = "::");
    struct run run = { .options = { .delimiter = '\0' } };
    run_with(&run, FROM_PIPE, "a\nb\0c\0", 6);
    assert_string_equal(run.jobs, "a\nb/c");
    free(run.jobs);
}

static void a_list_ends_where_it_is_said_to(void **state)
{
    (void)state;
    CHECK("a\nEOF\nb\n", "a", .end = "EOF");
    CHECK("a\nEOFx\nb\n", "a/EOFx/b", .end = "EOF");
    CHECK("a\n\n \t\nb\n", "a/b", .skip_empty = true);
    CHECK("", "a/b", LISTS(VALUES("a", "b", "EOF", "c")), .end = "EOF");
    CHECK("", "a|x/b|x", LISTS(VALUES("a", "b", "EOF", "c"), VALUES("x", "EOF")), .end = "EOF");
    CHECK("", "", LISTS(VALUES("EOF", "c")), .end = "EOF");
    CHECK("", "a/b", LISTS(VALUES("a", "", " ", "b")), .skip_empty = true);
    CHECK("", "a|x/b|y", LISTS(VALUES("a", "", "b"), VALUES("x", "y", "EOF", "z")), .skip_empty = true, .end = "EOF",
          .link_all = true);
}

static void values_are_trimmed(void **state)
{
    (void)state;
    CHECK(" a b \n\t\n", "a b /", .trim = INPUT_TRIM_LEFT);
    CHECK(" a b \n\t\n", " a b/", .trim = INPUT_TRIM_RIGHT);
    CHECK(" a b \r\n\t\n", "a b/", .trim = INPUT_TRIM_BOTH);
}

static void lists_are_combined(void **state)
{
    (void)state;
    CHECK("", "a|1/a|2/b|1/b|2", LISTS(VALUES("a", "b"), VALUES("1", "2")));
    CHECK("x\ny\n", "a|x/a|y/b|x/b|y", LISTS(VALUES("a", "b"), standard_input));
    CHECK("x\ny\n", "x|a/x|b/y|a/y|b", LISTS(standard_input, VALUES("a", "b")));
    CHECK("x\ny\n", "1|x|a/1|x|b/1|y|a/1|y|b", LISTS(VALUES("1"), standard_input, VALUES("a", "b")));
    CHECK("", "", LISTS(VALUES("a", "b"), standard_input));
    CHECK("", "", LISTS(standard_input, VALUES("a", "b")));
}

static void lists_are_linked(void **state)
{
    (void)state;
    CHECK("", "a|1/b|2", LISTS(VALUES("a", "b", "c"), LINKED("1", "2")));
    CHECK("", "a|1|x/a|1|y/b|2|x/b|2|y", LISTS(VALUES("a", "b"), LINKED("1", "2"), VALUES("x", "y")));
    CHECK("", "x|a|1/x|b|2/y|a|1/y|b|2", LISTS(VALUES("x", "y"), VALUES("a", "b"), LINKED("1", "2")));
    CHECK("", "a|1/b|2/c|1", LISTS(VALUES("a", "b", "c"), VALUES("1", "2")), .link_all = true);
    CHECK("x\ny\nz\n", "a|x/b|y/a|z", LISTS(VALUES("a", "b"), standard_input), .link_all = true);
    CHECK("x\ny\n", "a|x/b|y/c|x", LISTS(VALUES("a", "b", "c"), standard_input), .link_all = true);
    CHECK("", "a|/b|", LISTS(VALUES("a", "b"), standard_input), .link_all = true);
}

static void records_are_those_of_rfc_4180(void **state)
{
    (void)state;
    CHECK("a,\"b, c\"\n\"2 \"\"big\"\"\",\"\"\n", "a|b, c/2 \"big\"|", .csv = ",");
    CHECK("a,\"b\n\nc\"\nd,e\n", "a|b\n\nc/d|e", .csv = ",");
    CHECK("\"a\r\nb\",c\r\n,d\r\n", "a\r\nb|c/|d", .csv = ",");
    CHECK("\"\"\"\"\n\n,\n", "\"//|", .csv = ",");
    CHECK("a ;\" b; \";c", "a|b;|c", .csv = ";", .trim = INPUT_TRIM_BOTH);
    CHECK("a , \n", "a | ", .csv = ",");
    CHECK("a::\"::\"::b:c\n", "a|::|b:c", .csv = "::");
    CHECK("\"a;b\",c\r;d", "a;b|c\r/d", .csv = ",", .delimiter = ';');
    CHECK("\"a--b\"--c", "a--b/c", .csv = ",", .delimiters = "--");
    CHECK("1,\"2\"\n3,4\n", "1|2|x, y|z/3|4|x, y|z", LISTS(standard_input, VALUES("\"x, y\",z")), .csv = ",");
    CHECK("\"n,\nm\",o\na,\"b\n\"\nc\n", "a|b\n/c|", .csv = ",", .header = true);
    CHECK("a,\"b\nc\"\nd \ne\n", "a|b\nc|d e", .csv = ",", .max_lines = 2);
}

static void quotes_that_are_not_where_they_should_be_are_told(void **state)
{
    (void)state;
    static const char *const inputs[] = { "a,b\nx\"\"\n", "a,b\nc, \"d\"\n", "a,b\n\"c\"d\n", "a,b\n\"c\nd\n",
                                          "a,b\n\"c\" ,d\n" };
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        for (int header = 0; header < 2; header++) {
            struct run run = { .options = { .delimiter = '\n', .csv = ",", .header = header } };
            const char *input = header ? inputs[i] + strlen("a,b\n") : inputs[i];
            run_with(&run, FROM_PIPE, input, strlen(input));
            assert_int_equal(run.opened, header ? -EINVAL : 0);
            assert_int_equal(run.result, header ? 0 : -EINVAL);
            if (!header)
                assert_string_equal(run.jobs, "a|b");
            free(run.jobs);
        }
    }
}

static void records_have_columns(void **state)
{
    (void)state;
    CHECK("a , b\nc\n", "a|b/c", .columns = ",", .trim = INPUT_TRIM_BOTH);
    CHECK("a , b\n", "a | b", .columns = ",");
    CHECK("a\tb\t\n", "a|b|", .columns = "\\t");
    CHECK("a  b c\n", "a|b|c", .columns = " +");
    CHECK("a|b||c\n", "a|b||c", .columns = "\\|");
    CHECK("a1b22c\n", "a|b|c", .columns = "\\d+");
    CHECK("a, b\tc\n", "a|b|c", .columns = "[,\\t] *");
    CHECK("a]b,c\n", "a|b|c", .columns = "[],]");
    CHECK("ab\n", "ab", .columns = "x*");
    CHECK("axb\n", "a|b", .columns = "x*");
    CHECK("1,2\n3,4\n", "1|2|x/1|2|y/3|4|x/3|4|y", LISTS(standard_input, VALUES("x", "y")), .columns = ",");
}

static void a_wrong_expression_is_told(void **state)
{
    (void)state;
    struct run run = { .options = { .delimiter = '\n', .columns = "a(" } };
    run_with(&run, FROM_FILE, "a\n", 2);
    assert_int_equal(run.opened, -EINVAL);
    run.options.columns = "";
    run_with(&run, FROM_FILE, "a\n", 2);
    assert_int_equal(run.opened, -EINVAL);
}

static int look_at_names(void *arg)
{
    struct input_options *options = arg;
    struct input_source *source;
    int count;
    EXPECT(input_source_open(&source, options) == 0);
    const char *const *names = input_source_names(source, &count);
    EXPECT(count == 3);
    EXPECT(strcmp(names[0], "n") == 0 && strcmp(names[1], "m o") == 0 && strcmp(names[2], "x") == 0);
    input_source_close(source);
    return 0;
}

static void the_first_records_are_names(void **state)
{
    (void)state;
    struct input_options options = { LISTS(standard_input, VALUES("x", "1", "2")), .delimiter = '\n', .columns = ",",
                                     .header = true };
    set_input(FROM_FILE, "n,m o\na,b\n", 10);
    assert_int_equal(salp_run(look_at_names, &options), 0);
    CHECK("n,m o\na,b\nc\n", "a|b|1/a|b|2/c||1/c||2", LISTS(standard_input, VALUES("x", "1", "2")), .columns = ",",
          .header = true);
    CHECK("n,m o\na,b\nc\n", "1|a|b/1|c|/2|a|b/2|c|", LISTS(VALUES("x", "1", "2"), standard_input), .columns = ",",
          .header = true);
    CHECK("n\tm\na\tb\n", "a|b", .header = true);
    CHECK("n\n", "", .header = true);
    CHECK("", "", .header = true);
    CHECK("", "1|3/2|4/1|5", LISTS(VALUES("x", "1", "2"), VALUES("y", "3", "4", "5")), .header = true,
          .link_all = true);
}

static void a_job_has_several_records(void **state)
{
    (void)state;
    CHECK("a\nb\nc\n", "a|b/c", .max_args = 2);
    CHECK("1,2\n3,4\n5,6\n", "1|2|3|4/5|6", .columns = ",", .max_args = 2);
    CHECK("", "a|c|a|d/b|c|b|d", LISTS(VALUES("a", "b"), VALUES("c", "d")), .max_args = 2);
    CHECK("a \nb\nc\n\nd e\n", "a b/c//d e", .max_lines = 1);
    CHECK("a \nb\nc\n\nd e\n", "a b|c/|d e", .max_lines = 2);
    CHECK("a \nb \n", "a b ", .max_lines = 1);
    CHECK("a\t\n", "a\t", .max_lines = 1);
}

static size_t measure_with_a_blank(const char *value, void *arg)
{
    (void)arg;
    return value ? strlen(value) + 1 : 4;
}

static int run_filled(void *arg)
{
    struct run *run = arg;
    struct input_source *source;
    EXPECT(input_source_open(&source, &run->options) == 0);
    input_source_set_measure(source, measure_with_a_blank, NULL);
    struct job *job = calloc(1, sizeof *job);
    EXPECT(job && (job->memory = job_memory_new()));
    FILE *to = open_memstream(&run->jobs, &run->size);
    EXPECT(to);
    for (job_clear(job); input_source_next(source, job) > 0; job_clear(job))
        write_job(to, job);
    EXPECT(fclose(to) == 0);
    job_memory_free(job->memory);
    free(job);
    input_source_close(source);
    return 0;
}

static void lines_are_filled(void **state)
{
    (void)state;
    static const struct {
        const char *input;
        struct input_options options;
        const char *jobs;
    } cases[] = {
        { "1\n2\n3\n4\n5\n", { .fill = true }, "1|2|3|4|5" },
        { "1\n2\n3\n4\n5\n", { .fill = true, .max_chars = 8 }, "1|2/3|4/5" },
        { "1\n2\n3\n4\n5\n", { .max_args = 3, .max_chars = 8 }, "1|2/3|4/5" },
        { "1\n2\n3\n4\n5\n", { .fill = true, .max_args = 2 }, "1|2/3|4/5" },
        { "1\nlonglong\n2\n3\n", { .fill = true, .max_chars = 8 }, "1/longlong/2|3" },
        { "1\n2\n3\n4\n5\n", { .fill = true, .fill_slots = 2 }, "1|2|3/4|5" },
        { "1\n2\n3\n4\n5\n", { .fill = true, .fill_slots = 3 }, "1|2/3|4/5" },
        { "1\n2\n", { .fill = true, .fill_slots = 8 }, "1/2" },
        { "1\n2\n3\n4\n5\n6\n7\n", { .fill = true, .fill_slots = 2, .max_chars = 10 }, "1|2|3/4|5|6/7" },
        { "1\n2\n3\n4\n5\n6\n7\n8\n", { .fill = true, .fill_slots = 2, .max_chars = 10 }, "1|2|3/4|5|6/7/8" },
        { "", { .fill = true, .fill_slots = 2 }, "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct run run = { .options = cases[i].options };
        run.options.delimiter = '\n';
        set_input(FROM_PIPE, cases[i].input, strlen(cases[i].input));
        assert_int_equal(salp_run(run_filled, &run), 0);
        assert_string_equal(run.jobs, cases[i].jobs);
        free(run.jobs);
    }
}

/* ---- by chance ---- */

static char *shuffled(const struct input_options *options)
{
    struct run run = { .options = *options };
    run.options.delimiter = '\n';
    run.options.shuffle = true;
    run_with(&run, FROM_PIPE, "1\n2\n3\n4\n5\n6\n7\n", 14);
    assert_int_equal(run.result, 0);
    return run.jobs;
}

static int compare_bytes(const void *a, const void *b)
{
    return memcmp(a, b, 1);
}

static void a_shuffled_list_has_all_its_values(void **state)
{
    (void)state;
    char *first = shuffled(&(struct input_options){ .shuffle_seed = 1 });
    char *again = shuffled(&(struct input_options){ .shuffle_seed = 1 });
    assert_string_equal(first, again);
    free(again);
    int different = 0;
    for (uint64_t seed = 2; seed < 12; seed++) {
        char *other = shuffled(&(struct input_options){ .shuffle_seed = seed });
        different += strcmp(first, other) != 0;
        qsort(other, strlen(other), 1, compare_bytes);
        assert_string_equal(other, "//////1234567");
        free(other);
    }
    assert_true(different > 0);
    free(first);
}

static void shuffled_combinations_are_all_there(void **state)
{
    (void)state;
    char *jobs = shuffled(&(struct input_options){ LISTS(VALUES("a", "b"), standard_input), .shuffle_seed = 3 });
    for (const char *letter = "ab"; *letter; letter++) {
        for (char digit = '1'; digit <= '7'; digit++)
            assert_non_null(strstr(jobs, (char[]){ *letter, '|', digit, '\0' }));
    }
    assert_int_equal(strlen(jobs), 14 * 4 - 1);
    free(jobs);
}

static void jobs_are_made_first_and_shuffled_then(void **state)
{
    (void)state;
    static const char *const together[] = { "1|2|3", "4|5|6", "7" };
    for (uint64_t seed = 1; seed < 10; seed++) {
        char *jobs = shuffled(&(struct input_options){ .max_args = 3, .shuffle_seed = seed });
        assert_int_equal(strlen(jobs), strlen("1|2|3/4|5|6/7"));
        for (int i = 0; i < 3; i++)
            assert_non_null(strstr(jobs, together[i]));
        free(jobs);
    }
}

/* ---- what goes wrong ---- */

static void run_file(struct run *run, const char *path)
{
    run->options.delimiter = '\n';
    run->options.lists = &(struct input_list){ .path = path };
    run->options.list_count = 1;
    assert_int_equal(salp_run(run_all, run), 0);
}

static void a_list_that_cannot_be_read_is_told(void **state)
{
    (void)state;
    struct run run = { 0 };
    run_file(&run, "/nowhere/at all");
    assert_int_equal(run.opened, -ENOENT);
    run_file(&run, "/");
    assert_int_equal(run.opened, -EISDIR);
    int fd = open("/", O_RDONLY | O_DIRECTORY);
    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    close(fd);
    run_file(&run, "-");
    assert_int_equal(run.opened, -EISDIR);
    fd = open("/dev/null", O_WRONLY);
    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    close(fd);
    run_file(&run, "-");
    assert_int_equal(run.opened, -EBADF);
}

static void a_zero_byte_in_a_line_is_told(void **state)
{
    (void)state;
    struct run run = { .options = { .delimiter = '\n' } };
    run_with(&run, FROM_PIPE, "a\nb\0c\nd\n", 8);
    assert_string_equal(run.jobs, "a");
    assert_int_equal(run.result, -EILSEQ);
    free(run.jobs);
}

/* A file of `count` bytes, without a newline, behind a first line. */
static int long_line(size_t count)
{
    int fd = memfd_create("long", 0);
    char bytes[4096];
    memset(bytes, 'x', sizeof bytes);
    assert_int_equal(write(fd, "a\n", 2), 2);
    for (size_t written = 0; written < count; written += sizeof bytes)
        assert_int_equal(write(fd, bytes, sizeof bytes), sizeof bytes);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    close(fd);
    return 0;
}

static void a_line_may_be_long_within_reason(void **state)
{
    (void)state;
    struct run run = { .options = { .delimiter = '\n' } };
    long_line(1 << 20);
    assert_int_equal(salp_run(run_all, &run), 0);
    assert_int_equal(run.result, 0);
    assert_int_equal(strlen(run.jobs), 2 + (1 << 20));
    free(run.jobs);
    long_line(64 << 20);
    assert_int_equal(salp_run(run_all, &run), 0);
    assert_int_equal(run.result, -EMSGSIZE);
    assert_string_equal(run.jobs, "a");
    free(run.jobs);
}

static void standard_input_stands_where_reading_ended(void **state)
{
    (void)state;
    struct run run = { .options = { .delimiter = '\n' } };
    set_input(FROM_FILE, "skipped\na\nb\n", 12);
    assert_int_equal(lseek(STDIN_FILENO, 8, SEEK_SET), 8);
    assert_int_equal(salp_run(run_all, &run), 0);
    assert_string_equal(run.jobs, "a/b");
    assert_int_equal(lseek(STDIN_FILENO, 0, SEEK_CUR), 12);
    free(run.jobs);
}

/* ---- what is slow, and what has no end ---- */

/* Writes a line when the one before has become a job. */
struct slow {
    int ends[2];
    salp_event *written, *read;
    char got[8];
    int count;
};

static int write_slowly(void *arg)
{
    struct slow *slow = arg;
    for (const char *byte = "ab"; *byte; byte++) {
        for (int i = 0; i < 100; i++)
            salp_yield();
        EXPECT(slow->count == byte[0] - 'a');
        EXPECT(write(slow->ends[1], (char[]){ *byte, '\n' }, 2) == 2);
        EXPECT(salp_event_wait(slow->read) == 0);
        salp_event_clear(slow->read);
    }
    close(slow->ends[1]);
    return 0;
}

static int read_slow_lines(void *arg)
{
    struct slow *slow = arg;
    struct input_options options = { .delimiter = '\n' };
    struct input_source *source;
    struct job *job = calloc(1, sizeof *job);
    EXPECT(job && (job->memory = job_memory_new()));
    EXPECT(salp_event_open(&slow->read, NULL) == 0);
    EXPECT(input_source_open(&source, &options) == 0);
    salp_group group;
    salp_group_open(&group);
    EXPECT(salp_go(&group, write_slowly, slow) == 0);
    for (job_clear(job); input_source_next(source, job) > 0; job_clear(job)) {
        slow->got[slow->count++] = job->values[0][0];
        salp_event_set(slow->read);
    }
    EXPECT(salp_group_close(&group) == 0);
    input_source_close(source);
    salp_event_close(slow->read);
    job_memory_free(job->memory);
    free(job);
    return 0;
}

static void a_line_is_a_job_when_it_is_there(void **state)
{
    (void)state;
    struct slow slow = { 0 };
    assert_int_equal(pipe(slow.ends), 0);
    assert_int_equal(dup2(slow.ends[0], STDIN_FILENO), STDIN_FILENO);
    close(slow.ends[0]);
    assert_int_equal(salp_run(read_slow_lines, &slow), 0);
    assert_string_equal(slow.got, "ab");
    assert_int_equal(fcntl(STDIN_FILENO, F_GETFL) & O_NONBLOCK, 0);
}

static int write_for_ever(void *arg)
{
    int fd = *(int *)arg;
    salp_stream *stream;
    EXPECT(salp_stream_from_fd(&stream, fd, NULL) == 0);
    while (salp_write(stream, "y\n", 2) > 0)
        ;
    salp_stream_close(stream);
    return 0;
}

static int read_some(void *arg)
{
    int fd = *(int *)arg;
    struct input_options options = { LISTS(standard_input, VALUES("1", "2"), VALUES("x", "y", "z")),
                                     .delimiter = '\n' };
    struct input_source *source;
    struct job *job = calloc(1, sizeof *job);
    EXPECT(job && (job->memory = job_memory_new()));
    EXPECT(input_source_open(&source, &options) == 0);
    salp_group group;
    salp_group_open(&group);
    EXPECT(salp_go(&group, write_for_ever, &fd) == 0);
    for (int i = 0; i < 10000; i++) {
        job_clear(job);
        EXPECT(input_source_next(source, job) == 1);
        EXPECT(job->value_count == 3);
        EXPECT(strcmp(job->values[0], "y") == 0 && job->values[1][0] == "12"[i / 3 % 2] &&
               job->values[2][0] == "xyz"[i % 3]);
    }
    input_source_close(source);
    salp_group_cancel(&group);
    salp_group_close(&group);
    job_memory_free(job->memory);
    free(job);
    return 0;
}

static void the_first_list_may_be_without_end(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    close(ends[0]);
    assert_int_equal(salp_run(read_some, &ends[1]), 0);
}

static int open_and_wait(void *arg)
{
    struct run *run = arg;
    return run_all(run);
}

static int write_to_pipe(void *arg)
{
    int fd = open(arg, O_WRONLY);
    EXPECT(fd >= 0 && write(fd, "a\nb\n", 4) == 4);
    close(fd);
    return 0;
}

static int read_named_pipe(void *arg)
{
    struct run *run = arg;
    salp_group group;
    salp_group_open(&group);
    EXPECT(salp_go(&group, open_and_wait, run) == 0);
    salp_yield(); /* it is being opened, by a thread that waits */
    EXPECT(write_to_pipe((void *)(uintptr_t)run->options.lists[0].path) == 0);
    return salp_group_close(&group);
}

static void a_named_pipe_is_waited_for(void **state)
{
    (void)state;
    char folder[] = "/tmp/salp-source-XXXXXX", path[sizeof folder + 5];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    struct input_list list = { .path = path };
    struct run run = { .options = { .lists = &list, .list_count = 1, .delimiter = '\n' } };
    assert_int_equal(salp_run(read_named_pipe, &run), 0);
    assert_string_equal(run.jobs, "a/b");
    free(run.jobs);
    unlink(path);
    rmdir(folder);
}

/* ---- how many there will be ---- */

struct learner {
    struct input_options options;
    struct input_source *source;
    int64_t known; /* -1: not told */
    int (*writer)(void *arg);
    int fd; /* for the writer */
    uint64_t jobs;
};

static void on_known(uint64_t total, void *arg)
{
    struct learner *learner = arg;
    EXPECT(learner->known == -1);
    learner->known = (int64_t)total;
}

static int learn(void *arg)
{
    struct learner *learner = arg;
    return input_source_learn(learner->source, on_known, learner);
}

/* Takes some jobs, learns beside, and takes the rest: each value is the number of its line. */
static int learn_beside(void *arg)
{
    struct learner *learner = arg;
    struct job *job = calloc(1, sizeof *job);
    EXPECT(job && (job->memory = job_memory_new()));
    learner->known = -1;
    learner->jobs = 0;
    EXPECT(input_source_open(&learner->source, &learner->options) == 0);
    salp_group group;
    salp_group_open(&group);
    if (learner->writer)
        EXPECT(salp_go(&group, learner->writer, learner) == 0);
    for (job_clear(job); input_source_next(learner->source, job) > 0; job_clear(job)) {
        EXPECT(strtoull(job->values[0], NULL, 10) == ++learner->jobs);
        if (learner->jobs == 3)
            EXPECT(salp_go(&group, learn, learner) == 0);
        if (learner->jobs % 7 == 0)
            salp_yield();
    }
    EXPECT(salp_group_close(&group) == 0);
    EXPECT(input_source_total(learner->source) == (int64_t)learner->jobs);
    input_source_close(learner->source);
    job_memory_free(job->memory);
    free(job);
    return 0;
}

enum { MANY_LINES = 50000 };

static int write_lines(void *arg)
{
    const struct learner *learner = arg;
    salp_stream *stream;
    EXPECT(salp_stream_from_fd(&stream, learner->fd, NULL) == 0);
    for (int i = 1; i <= MANY_LINES; i++) {
        char line[20];
        int size = snprintf(line, sizeof line, "%d\n", i);
        EXPECT(salp_write(stream, line, (size_t)size) == size);
        if (i % 1000 == 0)
            salp_yield();
    }
    salp_stream_close(stream);
    return 0;
}

static void set_pipe(int *writer)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    close(ends[0]);
    *writer = ends[1];
}

static void the_number_of_jobs_is_learnt_beside(void **state)
{
    (void)state;
    struct learner learner = { .options = { .delimiter = '\n' }, .writer = write_lines };
    set_pipe(&learner.fd);
    assert_int_equal(salp_run(learn_beside, &learner), 0);
    assert_int_equal(learner.jobs, MANY_LINES);
    assert_int_equal(learner.known, MANY_LINES);

    set_input(FROM_FILE, "1\n2\n3\n4\n5", 9);
    learner.writer = NULL;
    assert_int_equal(salp_run(learn_beside, &learner), 0);
    assert_int_equal(learner.known, 5);
}

static int learn_first(void *arg)
{
    struct learner *learner = arg;
    learner->known = -1;
    EXPECT(input_source_open(&learner->source, &learner->options) == 0);
    EXPECT(input_source_learn(learner->source, on_known, learner) == 0);
    input_source_close(learner->source);
    return 0;
}

static void what_is_learnt_counts_jobs(void **state)
{
    (void)state;
    const struct {
        struct input_options options;
        int64_t known;
    } cases[] = {
        { { LISTS(VALUES("a", "b", "c"), standard_input) }, 12 },
        { { LISTS(standard_input, VALUES("a", "b", "c")), .header = true }, 6 },
        { { LISTS(standard_input, LINKED("a", "b", "c")) }, 3 },
        { { LISTS(standard_input, VALUES("a", "b", "c")), .link_all = true }, 4 },
        { { .max_args = 3 }, 2 },
        { { .skip_empty = true }, 3 },
        { { .end = "3" }, 2 },
        { { .shuffle = true }, 4 },
        { { .pipe = true }, -1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (enum way way = FROM_FILE; way <= FROM_PIPE; way++) {
            struct learner learner = { .options = cases[i].options };
            learner.options.delimiter = '\n';
            set_input(way, "1\n\n3\n4\n", 7);
            assert_int_equal(salp_run(learn_first, &learner), 0);
            assert_int_equal(learner.known, cases[i].known);
        }
    }
}

static int cancel_learning(void *arg)
{
    struct learner *learner = arg;
    struct job *job = calloc(1, sizeof *job);
    EXPECT(job && (job->memory = job_memory_new()));
    EXPECT(input_source_open(&learner->source, &learner->options) == 0);
    salp_group group;
    salp_group_open(&group);
    EXPECT(salp_go(&group, learn, learner) == 0);
    EXPECT(write(learner->fd, "1\n2\n3", 5) == 5);
    for (int i = 0; i < 100; i++)
        salp_yield();
    salp_group_cancel(&group);
    EXPECT(salp_group_close(&group) == -ECANCELED);
    EXPECT(write(learner->fd, "4\n5\n", 4) == 4);
    close(learner->fd);
    static const char *const values[] = { "1", "2", "34", "5" };
    for (int i = 0; i < 4; i++) {
        job_clear(job);
        EXPECT(input_source_next(learner->source, job) == 1);
        EXPECT(strcmp(job->values[0], values[i]) == 0);
    }
    EXPECT(input_source_next(learner->source, job) == 0);
    input_source_close(learner->source);
    job_memory_free(job->memory);
    free(job);
    return 0;
}

static void who_stops_learning_takes_nothing_away(void **state)
{
    (void)state;
    struct learner learner = { .options = { .delimiter = '\n' }, .known = -1 };
    set_pipe(&learner.fd);
    assert_int_equal(salp_run(cancel_learning, &learner), 0);
    assert_int_equal(learner.known, -1);
}

static void a_full_disk_takes_nothing_away(void **state)
{
    (void)state;
    struct learner learner = { .options = { .delimiter = '\n', .temporary = "/nowhere" }, .writer = write_lines };
    set_pipe(&learner.fd);
    assert_int_equal(salp_run(learn_beside, &learner), 0);
    assert_int_equal(learner.jobs, MANY_LINES);

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 1000, 1000 }), 0);
    learner.options.temporary = NULL;
    set_pipe(&learner.fd);
    assert_int_equal(salp_run(learn_beside, &learner), 0);
    assert_int_equal(learner.jobs, MANY_LINES);
}

/* ---- blocks ---- */

#define BLOCKS(input, jobs, ...) CHECK(input, jobs, .pipe = true, __VA_ARGS__)
#define END(text) .record_end = text, .record_end_size = sizeof text - 1
#define START(text) .record_start = text, .record_start_size = sizeof text - 1

static void blocks_are_cut_between_records_of_rfc_4180(void **state)
{
    (void)state;
    BLOCKS("a,\"x\ny\"\nb,c\nd,e\n", "a,\"x\ny\"\n/b,c\n/d,e\n", .csv = ",", .block = 4);
    BLOCKS("a,\"x\ny\"\nb,c\nd,e\n", "a,\"x\ny\"\nb,c\n/d,e\n", .csv = ",", .block = 14);
    BLOCKS("a,\"x\ny\"\nb,c\nd,\"\ne\"", "a,\"x\ny\"\nb,c\n/d,\"\ne\"", .csv = ",", .block_records = 2);
    BLOCKS("a,\"x\ny\"\nb,c\nd,e\n", "a,\"x\ny\"\nb,c\n/d,e\n", .csv = ",", .block_lines = 2, .block = 4);
    BLOCKS("\"n\nm\"\na\nb\n", "\"n\nm\"\na\n/\"n\nm\"\nb\n", .csv = ",", .block_header = true, .block_records = 1);
}

static void blocks_end_where_records_do(void **state)
{
    (void)state;
    BLOCKS("1\n2\n3\n4\n5\n6\n7\n", "1\n2\n3\n/4\n5\n6\n/7\n", .block = 6);
    BLOCKS("1\n2\n3", "1\n2\n3", .block = 1000);
    BLOCKS("", "", .block = 6);
    BLOCKS("abcdefghij", "abcd/efgh/ij", .block = 4, END(""));
    BLOCKS("11111111111111\n2\n3\n4\n5\n6\n7\n", "11111111111111\n2\n3\n4\n5\n/6\n7\n", .block = 6);
    BLOCKS("a\nb\nc\nd\ne\n", "a\nb\n/c\nd\n/e\n", .block = 5, .block_lines = 2);
}

static void blocks_have_so_many_records(void **state)
{
    (void)state;
    BLOCKS("a\nb\nc\nd\ne", "a\nb\n/c\nd\n/e", .block_records = 2);
    BLOCKS("a\nb\nc\nd\ne\n", "a\nb\n/c\nd\n/e\n", .block_records = 1, .block_lines = 2);
    BLOCKS("a;b;c;", "a;/b;/c;", .block_records = 1, END(";"));
    BLOCKS(">a\nx\n>b\ny\n>c\n", ">a\nx\n/>b\ny\n/>c\n", .block_records = 1, START(">"));
    BLOCKS("a--BEGIN b;BEGIN c;d BEGIN", "a--BEGIN b;/BEGIN c;d BEGIN", .block_records = 1, END(";"), START("BEGIN"));
}

static void borders_can_be_expressions(void **state)
{
    (void)state;
    BLOCKS("a12b3c456d", "a12/b3/c456/d", .block_records = 1, .record_regexp = true, END("[0-9]+"));
    BLOCKS("aXXbXXc", "a/XXb/XXc", .block_records = 1, .record_regexp = true, START("X+"));
    BLOCKS("a;;b;xc;yd", "a;;b;/xc;/yd", .block_records = 1, .record_regexp = true, END(";+"), START("x|y"));
    BLOCKS("a\n\nb\nc\n\n\nd", "a\n\n/b\nc\n\n\n/d", .block_records = 1, .record_regexp = true, END("\\n\\n+"));
    BLOCKS("a1b2c3d4", "a1b2/c3d4", .block = 5, .record_regexp = true, END("[0-9]"));
}

static void borders_can_be_left_out(void **state)
{
    (void)state;
    BLOCKS("a;b;c;", "a/b/c", .block_records = 1, .record_remove = true, END(";"));
    BLOCKS("a;b;c;", "ab/c", .block_records = 2, .record_remove = true, END(";"));
    BLOCKS(">a\nx\n>b\n", "a\nx\n/b\n", .block_records = 1, .record_remove = true, START(">"));
    BLOCKS("a--BEGIN b;BEGIN c;d", "a--BEGIN b/ c;d", .block_records = 1, .record_remove = true, END(";"),
           START("BEGIN"));
    BLOCKS("a12b3c456d", "ab/cd", .block_records = 2, .record_remove = true, .record_regexp = true, END("[0-9]+"));
}

static void each_block_begins_with_the_header(void **state)
{
    (void)state;
    BLOCKS("H\na\nb\n", "H\na\n/H\nb\n", .block_records = 1, .block_header = true);
    BLOCKS("H\nI\na\nb\n", "H\nI\na\n/H\nI\nb\n", .block_records = 1, .block_header_regexp = "2");
    BLOCKS("H\nI\na\nb\n", "H\nI\na\n/H\nI\nb\n", .block_records = 1, .block_header_regexp = ".*\\n.*\\n");
    BLOCKS("#x\n#y\na\nb\n", "#x\n#y\na\n/#x\n#y\nb\n", .block_records = 1, .block_header_regexp = "(#.*\\n)*");
    BLOCKS("H\n", "", .block_records = 1, .block_header = true);
    BLOCKS("a\nb\n", "a\n/b\n", .block_records = 1, .block_header_regexp = "#.*\\n");
}

static void blocks_may_have_any_bytes(void **state)
{
    (void)state;
    struct run run = { .options = { .pipe = true, .block_records = 1, END("\0") } };
    run_with(&run, FROM_PIPE, "a\nb\0\xff\0", 6);
    assert_int_equal(run.size, 7);
    assert_memory_equal(run.jobs, "a\nb\0/\xff\0", 7);
    free(run.jobs);
}

/* All that went in comes out, in blocks that are not much larger than they should be. */
static int read_blocks(void *arg)
{
    struct input_options *options = arg;
    struct input_source *source;
    struct job *job = calloc(1, sizeof *job);
    EXPECT(job && (job->memory = job_memory_new()));
    EXPECT(input_source_open(&source, options) == 0);
    uint64_t line = 0;
    for (job_clear(job); input_source_next(source, job) > 0; job_clear(job)) {
        const char *block = job->block, *end = block + job->block_size;
        EXPECT(job->block_size <= options->block && end[-1] == '\n');
        while (block < end) {
            char *rest;
            EXPECT(strtoull(block, &rest, 10) == line++);
            EXPECT(*rest == '\n');
            block = rest + 1;
        }
    }
    EXPECT(line == 300000);
    input_source_close(source);
    job_memory_free(job->memory);
    free(job);
    return 0;
}

static void a_file_is_divided_into_so_many_blocks(void **state)
{
    (void)state;
    static const struct {
        const char *input, *jobs;
        uint64_t count;
    } cases[] = {
        { "1\n2\n3\n4\n5\n6\n7\n", "1\n2\n/3\n4\n/5\n6\n7\n", 3 },
        { "1\n2\n3\n4\n5\n6\n7\n", "1\n2\n3\n4\n5\n6\n7\n", 1 },
        { "1\n2\n3", "1\n/2\n/3", 5 },
        { "a long line\n2\n3\n", "a long line\n/2\n/3\n", 3 },
        { "1\na long line\n3\n", "1\n/a long line\n3\n", 2 },
        { "1\n2\n3", "1\n2\n3", 1 },
        { "", "", 4 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct run run = { .options = { .pipe = true, .block_count = cases[i].count } };
        run_with(&run, FROM_FILE, cases[i].input, strlen(cases[i].input));
        assert_int_equal(run.opened, 0);
        assert_string_equal(run.jobs, cases[i].jobs);
        free(run.jobs);
    }
    struct run run = { .options = { .pipe = true, .block_count = 2 } };
    run_with(&run, FROM_PIPE, "1\n", 2);
    assert_int_equal(run.opened, -EINVAL);
}

static void a_large_input_comes_whole(void **state)
{
    (void)state;
    int fd = memfd_create("lines", 0);
    FILE *file = fdopen(dup(fd), "w");
    assert_non_null(file);
    for (int i = 0; i < 300000; i++)
        fprintf(file, "%d\n", i);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    close(fd);
    struct input_options options = { .pipe = true, .block = 100000 };
    for (int regexp = 0; regexp < 2; regexp++) {
        options.record_regexp = regexp;
        options.record_end = regexp ? "[\n]" : NULL;
        options.record_end_size = 3;
        lseek(STDIN_FILENO, 0, SEEK_SET);
        assert_int_equal(salp_run(read_blocks, &options), 0);
    }
}

/* A block is waited for that is not whole yet. */
static int read_in_pieces(void *arg)
{
    int fd = *(int *)arg;
    struct input_options options = { .pipe = true, .block_header = true, .block_records = 2 };
    struct input_source *source;
    struct job *job = calloc(1, sizeof *job);
    EXPECT(job && (job->memory = job_memory_new()));
    EXPECT(input_source_open(&source, &options) == 0);
    static const char *const pieces[] = { "he", "ad\n1", "\n2", "\n3\n" };
    for (int i = 0; i < 4; i++) {
        salp_scope scope;
        EXPECT(write(fd, pieces[i], strlen(pieces[i])) == (ssize_t)strlen(pieces[i]));
        salp_scope_open(&scope, i < 3 ? 0 : SALP_FOREVER);
        job_clear(job);
        EXPECT(input_source_next(source, job) == (i < 3 ? -ETIMEDOUT : 1));
        salp_scope_close(&scope);
    }
    EXPECT(job->number == 1 && job->block_size == 9 && memcmp(job->block, "head\n1\n2\n", 9) == 0);
    close(fd);
    job_clear(job);
    EXPECT(input_source_next(source, job) == 1);
    EXPECT(job->number == 2 && job->block_size == 7 && memcmp(job->block, "head\n3\n", 7) == 0);
    EXPECT(input_source_next(source, job) == 0);
    input_source_close(source);
    job_memory_free(job->memory);
    free(job);
    return 0;
}

static void who_stops_waiting_for_a_block_loses_nothing(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    close(ends[0]);
    assert_int_equal(salp_run(read_in_pieces, &ends[1]), 0);
}

static void blocks_and_values_exclude_each_other(void **state)
{
    (void)state;
    struct run run = { .options = { LISTS(VALUES("a")), .pipe = true } };
    assert_int_equal(salp_run(run_all, &run), 0);
    assert_int_equal(run.opened, -EINVAL);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("each line is a job", each_line_is_a_job),
        TEST("what ends a line can be chosen", what_ends_a_line_can_be_chosen),
        TEST("a list ends where it is said to", a_list_ends_where_it_is_said_to),
        TEST("values are trimmed", values_are_trimmed),
        TEST("lists are combined", lists_are_combined),
        TEST("lists are linked", lists_are_linked),
        TEST("records are those of RFC 4180", records_are_those_of_rfc_4180),
        TEST("quotes that are not where they should be are told", quotes_that_are_not_where_they_should_be_are_told),
        TEST("blocks are cut between records of RFC 4180", blocks_are_cut_between_records_of_rfc_4180),
        TEST("records have columns", records_have_columns),
        TEST("a wrong expression is told", a_wrong_expression_is_told),
        TEST("the first records are names", the_first_records_are_names),
        TEST("a job has several records", a_job_has_several_records),
        TEST("lines are filled", lines_are_filled),
        TEST("a shuffled list has all its values", a_shuffled_list_has_all_its_values),
        TEST("shuffled combinations are all there", shuffled_combinations_are_all_there),
        TEST("jobs are made first and shuffled then", jobs_are_made_first_and_shuffled_then),
        TEST("a list that cannot be read is told", a_list_that_cannot_be_read_is_told),
        TEST("a zero byte in a line is told", a_zero_byte_in_a_line_is_told),
        TEST("a line may be long, within reason", a_line_may_be_long_within_reason),
        TEST("standard input stands where reading ended", standard_input_stands_where_reading_ended),
        TEST("a line is a job when it is there", a_line_is_a_job_when_it_is_there),
        TEST("the first list may be without end", the_first_list_may_be_without_end),
        TEST("a named pipe is waited for", a_named_pipe_is_waited_for),
        TEST("the number of jobs is learnt beside", the_number_of_jobs_is_learnt_beside),
        TEST("what is learnt counts jobs", what_is_learnt_counts_jobs),
        TEST("who stops learning takes nothing away", who_stops_learning_takes_nothing_away),
        TEST("a full disk takes nothing away", a_full_disk_takes_nothing_away),
        TEST("blocks end where records do", blocks_end_where_records_do),
        TEST("blocks have so many records", blocks_have_so_many_records),
        TEST("borders can be expressions", borders_can_be_expressions),
        TEST("borders can be left out", borders_can_be_left_out),
        TEST("each block begins with the header", each_block_begins_with_the_header),
        TEST("blocks may have any bytes", blocks_may_have_any_bytes),
        TEST("a file is divided into so many blocks", a_file_is_divided_into_so_many_blocks),
        TEST("a large input comes whole", a_large_input_comes_whole),
        TEST("who stops waiting for a block loses nothing", who_stops_waiting_for_a_block_loses_nothing),
        TEST("blocks and values exclude each other", blocks_and_values_exclude_each_other),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
