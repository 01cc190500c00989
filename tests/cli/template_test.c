/*
 * Commands made of words and values: replacement strings, the rule for the shell, quotes that hold.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <limits.h>
#include <sys/wait.h>

#include "input/template.h"
#include "job/memory.h"

enum { VALUES_MAX = 8, WORDS_MAX = 12 };

/* A job of its own, with these values. */
static struct job *new_job(const char *const *values, int count)
{
    struct job *job = calloc(1, sizeof *job);
    assert_non_null(job);
    job->memory = job_memory_new();
    assert_non_null(job->memory);
    job->slot = 2;
    job_clear(job);
    job->number = 7;
    job->values = values;
    job->value_count = count;
    return job;
}

static void free_job(struct job *job)
{
    job_memory_free(job->memory);
    free(job);
}

static int count_of(const char *const *texts)
{
    int count = 0;
    while (texts[count])
        count++;
    return count;
}

/* Fills in a job's command; returns the job, to be freed. */
static struct job *fill(struct template_options *options, const char *const *words, const char *const *values)
{
    struct input_template *template;
    options->words = words;
    options->word_count = count_of(words);
    assert_int_equal(template_open(&template, options), 0);
    template_set_total(template, 1000);
    struct job *job = new_job(values, count_of(values));
    assert_int_equal(template_fill(template, job), 0);
    template_close(template);
    return job;
}

struct line_case {
    const char *words[WORDS_MAX];
    const char *values[VALUES_MAX];
    const char *line;
};

static void check_lines(const struct template_options *options, const struct line_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct template_options copy = *options;
        struct job *job = fill(&copy, cases[i].words, cases[i].values);
        assert_string_equal(job->line, cases[i].line);
        free_job(job);
    }
}

#define CHECK_LINES(cases, ...) \
    check_lines(&(struct template_options){ __VA_ARGS__ }, cases, sizeof cases / sizeof *cases)

/* What GNU parallel answers, too. */
static void parts_of_paths_are_those_of_gnu_parallel(void **state)
{
    (void)state;
    static const char *const parts[] = { "{.}", "{/}", "{//}", "{/.}" };
    static const struct {
        const char *value, *parts[4];
    } cases[] = {
        { "/a/b.c/d.tar.gz", { "/a/b.c/d.tar", "d.tar.gz", "/a/b.c", "d.tar" } },
        { "x", { "x", "x", ".", "x" } },
        { "y.z", { "y", "y.z", ".", "y" } },
        { "/q", { "/q", "q", "/", "q" } },
        { ".bashrc", { "", ".bashrc", ".", "" } },
        { "a/.b", { "a/", ".b", "a", "" } },
        { "a/", { "a/", "", ".", "" } },
        { "/", { "/", "", "/", "" } },
        { "./", { "./", "", ".", "" } },
        { "a.b/", { "a.b/", "", ".", "" } },
        { "a..b", { "a.", "a..b", ".", "a." } },
        { "a.b/c", { "a.b/c", "c", "a.b", "c" } },
        { "", { "", "", ".", "" } },
        { ".", { ".", ".", ".", "." } },
        { "..", { "..", "..", ".", ".." } },
        { "a//b.c", { "a//b", "b.c", "a", "b" } },
        { "a.", { "a.", "a.", ".", "a." } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
            struct job *job = fill(&(struct template_options){ 0 }, (const char *[]){ "echo", parts[k], NULL },
                                   (const char *[]){ cases[i].value, NULL });
            assert_string_equal(job->argv[1], cases[i].parts[k]);
            assert_null(job->argv[2]);
            free_job(job);
        }
    }
}

static void longer_parts_are_there_with_plus(void **state)
{
    (void)state;
    static const char words[] = "{..} {...} {+/} {+.} {+..} {+...} {/..} {/...}";
    static const struct line_case cases[] = {
        { { "echo", words }, { "/a/b.c/d.tar.gz" }, "echo '/a/b.c/d /a/b.c/d.tar.gz /a/b.c gz tar.gz  d d.tar.gz'" },
        { { "echo", words }, { "x" }, "echo 'x x     x x'" },
        { { "echo", words }, { "y.z" }, "echo 'y.z y.z  z   y.z y.z'" },
        { { "echo", words }, { "a.b.c.d.e" }, "echo 'a.b.c a.b  e d.e c.d.e a.b.c a.b'" },
        { { "echo", "{##}", "{0#}", "{0%}" }, { "x" }, "echo 1000 0007 02" },
    };
    static const struct line_case without[] = {
        { { "echo", "{..}", "{##}" }, { "x" }, "echo '{..}' '{##}' x" },
    };
    CHECK_LINES(cases, .plus = true, .slots = 10);
    CHECK_LINES(without, 0);
}

static void values_stand_where_replacement_strings_are(void **state)
{
    (void)state;
    static const struct line_case cases[] = {
        { { "echo" }, { "a b" }, "echo 'a b'" },
        { { "echo" }, { "" }, "echo ''" },
        { { "echo", "{}" }, { "a", "b" }, "echo a b" },
        { { "echo", "x{}y" }, { "a", "b" }, "echo 'xa by'" },
        { { "echo", "{.}" }, { "a.c", "b.c" }, "echo a b" },
        { { "echo", "{2}-{1}" }, { "a", "b" }, "echo b-a" },
        { { "echo", "{-1}", "{-2}", "{-3}" }, { "a", "b" }, "echo b a ''" },
        { { "echo", "{2/}", "{1//}" }, { "a/b", "c/d" }, "echo d a" },
        { { "echo", "{3}" }, { "a" }, "echo ''" },
        { { "echo", "{#}", "{%}" }, { "a" }, "echo 7 2" },
        { { "echo", "{", "}", "{x}", "{}}", "{0}", "{1", "{{}}" },
          { "a" },
          "echo '{' '}' '{x}' 'a}' '{0}' '{1' '{a}'" },
        { { "printf", "" }, { "a" }, "printf '' a" },
        { { "{}" }, { "true" }, "true" },
        { { "true" }, { "x" }, "true x" },
    };
    CHECK_LINES(cases, 0);
}

static void a_single_word_that_means_something_is_run_by_a_shell(void **state)
{
    (void)state;
    static const struct {
        const char *words[WORDS_MAX];
        bool shell;
    } cases[] = {
        { { "true" }, false },     { { "true;" }, true },      { { "echo x" }, true },     { { "{}" }, false },
        { { "a{}b{/.}" }, false }, { { "cat<{}" }, true },     { { "echo", ";" }, false }, { { "a=b" }, true },
        { { "{}{" }, true },       { { "./run-{#}" }, false }, { { NULL }, true },         { { "*" }, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct template_options options = { .shell = "/bin/dash" };
        struct job *job = fill(&options, cases[i].words, (const char *[]){ "x", NULL });
        assert_int_equal(job->argv[0] && strcmp(job->argv[0], "/bin/dash") == 0, cases[i].shell);
        free_job(job);
    }
}

static void values_are_quoted_as_their_place_needs_it(void **state)
{
    (void)state;
    static const struct line_case cases[] = {
        { { "echo x" }, { "a b" }, "echo x 'a b'" },
        { { "echo {}" }, { "it's" }, "echo 'it'\"'\"'s'" },
        { { "echo {} {2} {3}" },
          { "'", "'a''", "''" },
          "echo \"'\" \"'\"'a'\"'\"''\"'\" \"'\"''\"'\" \"'\"'a'\"'\"''\"'\" \"'\"''\"'\"" },
        { { "echo \"{}\"" }, { "a $x `y` \"z\" \\" }, "echo \"a \\$x \\`y\\` \\\"z\\\" \\\\\"" },
        { { "echo '{}'" }, { "a'b" }, "echo 'a'\"'\"'b'" },
        { { "echo $(cat \"$(ls {})\" {})" }, { "a b" }, "echo $(cat \"$(ls 'a b')\" 'a b')" },
        { { "echo \"$(ls {}) {}\"" }, { "a b" }, "echo \"$(ls 'a b') a b\"" },
        { { "echo \\\"{}" }, { "a b" }, "echo \\\"'a b'" },
        { { "echo {}>{.}.out" }, { "2" }, "echo '2'>2.out" },
        { { "echo {#}>{}" }, { "a" }, "echo '7'>a" },
        { { "echo $(({} + (1))) {}" }, { "5" }, "echo $((5 + (1))) 5" },
        { { "echo a#b {} # it's" }, { "x" }, "echo a#b x # it's" },
        { { "# it's\necho {}" }, { "a b" }, "# it's\necho 'a b'" },
        { { "cat <<<{}" }, { "a b" }, "cat <<<'a b'" },
        { { "x=${y:-'}'}; echo {}" }, { "a b" }, "x=${y:-'}'}; echo 'a b'" },
        { { "echo `date` {}" }, { "a b" }, "echo `date` 'a b'" },
        { { "echo $'a\\'' {}" }, { "b c" }, "echo $'a\\'' 'b c'" },
        { { NULL }, { "echo a; echo b" }, "echo a; echo b" },
    };
    CHECK_LINES(cases, 0);
}

static void what_no_quotes_would_keep_apart_is_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "echo `cat {}`",
        "echo ${x:-{}}",
        "echo $'{}'",
        "echo x # {}",
        "cat << E\n{}\nE",
        "echo ${}",
        "echo \\{}",
        "echo \"\\{}\"",
        "echo \"${}\"",
        "echo \"`{}`\"",
        "(case x in x) {};esac",
        "\"$(case x in x) {};esac)\"",
        "echo \"${x#\"{}\"}\"",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct input_template *template;
        struct template_options options = { .words = &lines[i], .word_count = 1 };
        assert_int_equal(template_open(&template, &options), -EINVAL);
        assert_null(template);
    }
}

static void arithmetic_takes_numbers_and_names_alone(void **state)
{
    (void)state;
    static const char *const values[] = { "a[$(id)]", "1 2", "'", "" };
    struct input_template *template;
    struct template_options options = { .words = (const char *[]){ "echo $(({}))" }, .word_count = 1 };
    assert_int_equal(template_open(&template, &options), 0);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct job *job = new_job(&values[i], 1);
        assert_int_equal(template_fill(template, job), -EINVAL);
        free_job(job);
    }
    template_close(template);
}

/* What one replacement string makes of one value. */
struct edit_case {
    const char *text, *value, *edited;
};

static void check_edits(const struct edit_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct job *job =
            fill(&(struct template_options){ .plus = true }, (const char *[]){ "echo", cases[i].text, NULL },
                 (const char *[]){ cases[i].value, NULL });
        assert_string_equal(job->argv[1], cases[i].edited);
        free_job(job);
    }
}

#define CHECK_EDITS(cases) check_edits(cases, sizeof cases / sizeof *cases)

/* What GNU parallel answers, too; tests/data/map/tutorial has some of them. */
static void values_are_edited_with_plus(void **state)
{
    (void)state;
    static const struct edit_case cases[] = {
        { "{:-none}", "", "none" },
        { "{:-none}", "a", "a" },
        { "{:-a:b/c}", "", "a:b/c" },
        { "{:2}", "abcdef", "cdef" },
        { "{:9}", "abc", "" },
        { "{:2:3}", "abcdef", "cde" },
        { "{:2:9}", "abcdef", "cdef" },
        { "{:0:2}", "abc", "ab" },
        { "{#ab}", "ababc", "abc" },
        { "{#b}", "ababc", "ababc" },
        { "{#z.*z.}", "z.z.z.foo", "z.foo" },
        { "{##z.*z.}", "z.z.z.foo", "foo" },
        { "{#a+}", "aaab", "aab" },
        { "{##a+}", "aaab", "b" },
        { "{#a*}", "aaab", "aaab" },
        { "{##a*}", "aaab", "b" },
        { "{##\\d+-}", "2026-x", "x" },
        { "{%.gz}", "a.tar.gz", "a.tar" },
        { "{%.z.*z}", "foo.z.z.z", "foo.z" },
        { "{%%.z.*z}", "foo.z.z.z", "foo" },
        { "{%b+}", "abbb", "abb" },
        { "{%%b+}", "abbb", "a" },
        { "{%b*}", "abbb", "abbb" },
        { "{%%b*}", "abbb", "a" },
        { "{%a}", "ab", "ab" },
        { "{%%}", "5%", "5" },
        { "{/a/X}", "banana", "bXnana" },
        { "{//a/X}", "banana", "bXnXnX" },
        { "{//a/}", "banana", "bnn" },
        { "{//x*/-}", "axb", "-a--b-" },
        { "{/x*/-}", "axb", "-axb" },
        { "{//[an]+/<&\\1>}", "banana", "b<&\\1>" },
        { "{////_}", "a/b/c", "a_b_c" },
        { "{/#b/X}", "banana", "Xanana" },
        { "{/#a/X}", "banana", "banana" },
        { "{/%a/X}", "banana", "bananX" },
        { "{/%n/X}", "banana", "banana" },
        { "{/%\\.jpe?g/.png}", "a.b.jpeg", "a.b.png" },
        { "{^a}", "abca", "Abca" },
        { "{^b}", "abca", "abca" },
        { "{^^a}", "abca", "AbcA" },
        { "{^^[a-c]}", "abcd", "ABCd" },
        { "{,A}", "AbCA", "abCA" },
        { "{,,[A-B]}", "ABCA", "abCa" },
        { "{1:1}", "abc", "bc" },
        { "{1:1:1}", "abc", "b" },
        { "{-1%c}", "abc", "ab" },
        { "{1/b/-}", "abc", "a-c" },
        { "{1:-x}", "", "x" },
        { "<{^^a}|{:1}>", "ab", "<Ab|b>" },
        { "{:x}", "a", "{:x}" },
        { "{:1:}", "a", "{:1:}" },
        { "{:-}", "a", "{:-}" },
        { "{/x}", "a", "{/x}" },
        { "{//x}", "a", "{//x}" },
        { "{//}", "a/b", "a" },
        { "{slot}", "a", "2" },
    };
    CHECK_EDITS(cases);
}

static void letters_change_without_an_expression_as_bash_has_it(void **state)
{
    (void)state;
    static const struct edit_case cases[] = {
        { "{^}", "abc", "Abc" }, { "{^^}", "a b\xc3\xa4", "A B\xc3\xa4" },
        { "{,}", "ABC", "aBC" }, { "{,,}", "ABC", "abc" },
        { "{^^}", "", "" },
    };
    CHECK_EDITS(cases);
}

static void edits_stand_for_parts_of_several_values(void **state)
{
    (void)state;
    static const char *const names[] = { "file", "n" };
    static const struct line_case cases[] = {
        { { "echo", "{^^}", "x{:1}", "{2%b}{1^}" }, { "a b", "cb" }, "echo 'A B' CB 'x b b' 'cA b'" },
        { { "echo", "{file%.c}.o", "{n:-0}" }, { "a b.c", "" }, "echo 'a b.o' 0" },
        { { "echo \"{^^}\" '{:1}' {1^}" }, { "a$'", "b" }, "echo \"A\\$' B\" '$'\"'\"' ' 'A$'\"'\"" },
    };
    static const struct line_case context[] = {
        { { "echo", "x{^^}" }, { "a", "b" }, "echo xA xB" },
    };
    CHECK_LINES(cases, .plus = true, .names = names, .name_count = 2);
    CHECK_LINES(context, .plus = true, .context = true);
}

static void an_expression_that_is_none_is_told(void **state)
{
    (void)state;
    static const char *const lines[] = { "{#a(}", "{%[a}", "{/a)/(b/c}", "{1^^*}" };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct input_template *template;
        struct template_options options = { .words = (const char *[]){ "echo", lines[i] },
                                            .word_count = 2,
                                            .plus = true };
        int error = template_open(&template, &options);
        template_close(template);
        assert_int_equal(error, i == 2 ? 0 : -EINVAL);
    }
}

static void jobs_are_left_out_where_values_are_the_same(void **state)
{
    (void)state;
    static const struct {
        const char *text, *values[4];
        bool left_out;
    } cases[] = {
        { "{uniq}", { "a", "b", "c" }, false },
        { "{uniq}", { "a", "b", "a" }, true },
        { "{uniq}", { "b", "a" }, false },
        { "{uniq}", { "a" }, false },
        { "{choose_k}", { "a", "b", "c" }, false },
        { "{choose_k}", { "a", "c", "b" }, true },
        { "{choose_k}", { "a", "a" }, true },
        { "{choose_k}", { "10", "9" }, false },
        { "{}", { "a", "a" }, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int tag = 0; tag < 2; tag++) {
            struct input_template *template;
            struct template_options options = { .words = (const char *[]){ "echo", cases[i].text },
                                                .word_count = tag ? 1 : 2,
                                                .tag = tag ? cases[i].text : NULL,
                                                .plus = true };
            assert_int_equal(template_open(&template, &options), 0);
            struct job *job = new_job(cases[i].values, count_of(cases[i].values));
            assert_int_equal(template_leaves_out(template, job), cases[i].left_out);
            free_job(job);
            template_close(template);
        }
    }
    static const struct line_case lines[] = {
        { { "echo", "{uniq}", "x{choose_k}" }, { "a", "b" }, "echo a b 'xa b'" },
    };
    CHECK_LINES(lines, .plus = true);
}

static void what_gnu_parallel_would_replace_is_not_passed_on(void **state)
{
    (void)state;
    static const char *const lines[] = { "{= s/a/b/ =}", "x{=1 uc =}", "{host}", "{sshlogin}", "{hgrp}", "{agrp}" };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct input_template *template;
        struct template_options options = { .words = (const char *[]){ "echo", lines[i] },
                                            .word_count = 2,
                                            .plus = true };
        assert_int_equal(template_open(&template, &options), -EINVAL);
        assert_null(template);
    }
    static const struct line_case cases[] = {
        { { "echo", "{=", "{:2}", "{%x}", "{uniq}", "{=}", NULL },
          { "a", NULL },
          "echo '{=' '{:2}' '{%x}' '{uniq}' '{=}' a" },
    };
    CHECK_LINES(cases, 0);
}

static void functions_of_bash_are_run_by_bash(void **state)
{
    (void)state;
    assert_int_equal(setenv("BASH_FUNC_greet%%", "() {  printf '<%s>' \"$@\"\n}", 1), 0);
    struct job *job = fill(&(struct template_options){ 0 }, (const char *[]){ "greet", "a  b", "$c", "{}", NULL },
                           (const char *[]){ "d;e", NULL });
    assert_string_equal(job->argv[0], "/bin/bash");
    assert_string_equal(job->argv[1], "-c");
    assert_string_equal(job->argv[2], "greet 'a  b' '$c' 'd;e'");
    assert_null(job->argv[3]);
    free_job(job);
    assert_int_equal(unsetenv("BASH_FUNC_greet%%"), 0);
    job = fill(&(struct template_options){ 0 }, (const char *[]){ "greet", NULL }, (const char *[]){ "d", NULL });
    assert_string_equal(job->argv[0], "greet");
    free_job(job);
}

static void a_shell_of_another_kind_is_refused(void **state)
{
    (void)state;
    struct input_template *template;
    static const char *const words[] = { "echo {};", NULL };
    struct template_options options = { .words = words, .word_count = 1, .shell = "/usr/bin/fish" };
    assert_int_equal(template_open(&template, &options), -EINVAL);
    options.shell = NULL;
    assert_int_equal(unsetenv("PARALLEL_SHELL"), 0);
    assert_int_equal(setenv("SHELL", "/bin/tcsh", 1), 0);
    struct job *job = fill(&options, words, (const char *[]){ "x", NULL });
    assert_string_equal(job->argv[0], "/bin/sh");
    free_job(job);
}

static void with_context_a_word_is_there_for_each_value(void **state)
{
    (void)state;
    static const struct line_case cases[] = {
        { { "echo", "a{}b", "c", "{}" }, { "1", "2" }, "echo a1b a2b c 1 2" },
        { { "echo", "{1}{2}" }, { "1", "2" }, "echo 12" },
        { { "echo a{}b c {}" }, { "1", "2" }, "echo a1b a2b c 1 2" },
        { { "echo \"x {} y\"{.}; \tls" }, { "1", "2" }, "echo \"x 1 y\"1; \"x 2 y\"2; \tls" },
        { { "echo \\ {} 'a b'" }, { "1", "2" }, "echo \\ 1 \\ 2 'a b'" },
        { { "echo x;" }, { "1", "2" }, "echo x; 1 2" },
    };
    CHECK_LINES(cases, .context = true);
}

static void words_go_to_a_shell_if_it_is_asked_for(void **state)
{
    (void)state;
    static const struct line_case as_they_are[] = {
        { { "echo", "$HOME;", "echo", "{}" }, { "a b" }, "echo $HOME; echo 'a b'" },
        { { "echo" }, { "a b" }, "echo 'a b'" },
    };
    static const struct line_case quoted[] = {
        { { "echo", "$HOME {}", "", "it's", "{}" }, { "a b" }, "echo '$HOME ''a b' '' 'it'\"'\"'s' 'a b'" },
    };
    CHECK_LINES(as_they_are, .always_shell = true);
    CHECK_LINES(quoted, .always_shell = true, .quote = true);
}

static void names_stand_for_columns(void **state)
{
    (void)state;
    static const char *const names[] = { "n", "name", "", "a b" };
    static const struct line_case cases[] = {
        { { "echo", "{n}", "{name}", "{name/}", "{a b.}", "{}" },
          { "1", "x/y", "3", "4.5" },
          "echo 1 x/y y 4 1 x/y 3 4.5" },
    };
    CHECK_LINES(cases, .names = names, .name_count = 4);
}

static void replacement_strings_have_the_users_names(void **state)
{
    (void)state;
    static const struct line_case cases[] = {
        { { "echo", ",,", "{}", "{1}", "{.}", ",,," }, { "a.b" }, "echo a.b '{}' a.b a 'a.b,'" },
        { { "echo" }, { "a" }, "echo a" },
        { { "echo x;" }, { "a" }, "echo x; a" },
    };
    CHECK_LINES(cases, .replace = ",,");
}

static void a_job_may_get_none_of_its_values(void **state)
{
    (void)state;
    static const struct line_case cases[] = {
        { { "echo", "x" }, { "a" }, "echo x" },
        { { "echo", "x{}{1}" }, { "a" }, "echo x" },
        { { "echo x; {}" }, { "a" }, "echo x; " },
    };
    CHECK_LINES(cases, .no_values = true);
}

static void a_value_that_cannot_be_there_is_told(void **state)
{
    (void)state;
    struct input_template *template;
    struct template_options options = { .words = (const char *[]){ "echo", "{3}" }, .word_count = 2, .width = 2 };
    assert_int_equal(template_open(&template, &options), -EINVAL);
    options.width = 3;
    assert_int_equal(template_open(&template, &options), 0);
    template_close(template);
    options.width = 2;
    options.words = (const char *[]){ "echo", "{-2}" };
    options.tag = "{-3}";
    assert_int_equal(template_open(&template, &options), -EINVAL);
}

static void what_is_longer_than_the_system_takes_is_told(void **state)
{
    (void)state;
    enum { LIMIT = 128 << 10 };
    char *value = malloc(LIMIT + 1);
    assert_non_null(value);
    memset(value, 'x', LIMIT);
    for (int shell = 0; shell < 2; shell++) {
        struct input_template *template;
        struct template_options options = { .words = (const char *[]){ "echo" },
                                            .word_count = 1,
                                            .always_shell = shell };
        assert_int_equal(template_open(&template, &options), 0);
        size_t longest = shell ? LIMIT - 1 - strlen("echo ") : LIMIT - 1;
        for (size_t size = longest; size <= longest + 1; size++) {
            value[size] = '\0';
            struct job *job = new_job((const char *const *)&value, 1);
            assert_int_equal(template_fill(template, job), size > longest ? -E2BIG : 0);
            free_job(job);
            value[size] = 'x';
        }
        template_close(template);
    }
    free(value);
}

static void a_tag_and_texts_are_filled_in_without_quotes(void **state)
{
    (void)state;
    struct input_template *template;
    struct template_options options = { .words = (const char *[]){ "true" }, .word_count = 1, .tag = "{#}:{1}|{/}" };
    assert_int_equal(template_open(&template, &options), 0);
    struct job *job = new_job((const char *[]){ "a b/c" }, 1);
    assert_int_equal(template_fill(template, job), 0);
    assert_string_equal(job->tag, "7:a b/c|c");
    assert_string_equal(template_expand(template, "out/{1/}-{%}", job), "out/c-2");
    free_job(job);
    template_close(template);
}

/* ---- quotes ---- */

/* Runs argv, and returns what it writes to standard output, to be freed. */
static char *output_of(const char *const *argv, size_t *size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(ends[1]);
    char *text = malloc(1 << 20);
    assert_non_null(text);
    *size = 0;
    for (ssize_t got; (got = read(ends[0], text + *size, (1 << 20) - *size)) > 0;)
        *size += (size_t)got;
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    return text;
}

/* A word of bytes by chance, some of which are more likely: those that mean something to shells. */
static void make_word(char *word, size_t size, uint64_t *random)
{
    static const char special[] = "'\"\\$`!*?[](){}<>|&;#~=%^ \t\n\r,-+@:/.axn0";
    for (size_t i = 0; i < size; i++) {
        *random = *random * 6364136223846793005u + 1442695040888963407u;
        unsigned drawn = (unsigned)(*random >> 33);
        word[i] = drawn & 1 ? special[(drawn >> 1) % (sizeof special - 1)] : (char)(1 + (drawn >> 1) % 255);
    }
    word[size] = '\0';
}

/* Puts words into a line at three places, and looks at what a shell makes of it. */
static void check_quotes(const char *shell, const char *const *values)
{
    struct template_options options = { .shell = shell };
    static const char *const words[] = { "printf '%s\\1' {} \"{1}\" '{2}' \"$(printf '%s' {3})\" x{4}; :", NULL };
    struct job *job = fill(&options, words, values);
    size_t size, at = 0;
    char *text = output_of(job->argv, &size);
    for (int i = 0; i < 8; i++) {
        const char *value = values[i < 4 ? i : i - 4];
        size_t length = strlen(value);
        if (i == 6) /* $(...) leaves out newlines at the end */
            for (; length > 0 && value[length - 1] == '\n'; length--)
                ;
        if (i == 7)
            assert_int_equal(text[at++], 'x');
        assert_true(at + length < size);
        assert_memory_equal(text + at, value, length);
        assert_int_equal(text[at + length], 1);
        at += length + 1;
    }
    assert_int_equal(at, size);
    free(text);
    free_job(job);
}

static bool is_there(const char *path)
{
    return access(path, X_OK) == 0;
}

static void every_byte_comes_back_from_every_shell(void **state)
{
    (void)state;
    static const char *const shells[] = { "/bin/sh", "/bin/dash", "/bin/bash", "/bin/zsh", "/bin/ksh" };
    enum { LONGEST = 40 };
    uint64_t random = 20261123;
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++) {
        for (int round = 0; is_there(shells[i]) && round < test_scale(100); round++) {
            char words[4][LONGEST + 1];
            const char *values[5] = { words[0], words[1], words[2], words[3], NULL };
            for (int k = 0; k < 4; k++)
                make_word(words[k], (size_t)(round * 7 + k * 3) % (LONGEST + 1), &random);
            check_quotes(shells[i], values);
        }
    }
}

static void quoting_tells_how_much_room_it_needs(void **state)
{
    (void)state;
    char text[16];
    assert_int_equal(template_quote(text, sizeof text, "plain"), 5);
    assert_string_equal(text, "plain");
    assert_int_equal(template_quote(text, sizeof text, "a'b"), 9);
    assert_string_equal(text, "'a'\"'\"'b'");
    assert_int_equal(template_quote(text, 9, "a'b"), 9);
    assert_string_equal(text, "");
    assert_int_equal(template_quote(NULL, 0, "a b"), 5);
    assert_int_equal(template_quote(text, sizeof text, ""), 2);
    assert_string_equal(text, "''");
}

static void a_block_with_a_name_is_the_value(void **state)
{
    (void)state;
    static const struct line_case cases[] = {
        { { "wc", "-l", "{}" }, { NULL }, "wc -l '/a b/7'" },
        { { "wc {} > {/}.{1/}.{#}" }, { NULL }, "wc '/a b/7' > 7.7.7" },
        { { "wc" }, { NULL }, "wc '/a b/7'" },
        { { "wc", "{2}" }, { NULL }, "wc ''" },
    };
    CHECK_LINES(cases, .blocks = "/a b", .shell = "/bin/sh");
}

static void a_measure_is_never_less_than_the_line(void **state)
{
    (void)state;
    static const struct line_case cases[] = {
        { { "echo", "a{}b", "{}", "{2/}{#}" }, { "a b", "c'd/e", "" }, NULL },
        { { "echo \"{}\" '{}' {1} {#}" }, { "a b", "c'\"d/e", "$$" }, NULL },
        { { "echo" }, { "a b", "c'd/e", "" }, NULL },
        { { "echo", "{//b/long}{:-none}" }, { "a b", "bbb", "" }, NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int context = 0; context < 2; context++) {
            struct input_template *template;
            struct template_options options = {
                .words = cases[i].words, .word_count = count_of(cases[i].words), .context = context, .plus = true
            };
            assert_int_equal(template_open(&template, &options), 0);
            struct job *job = new_job(cases[i].values, 3);
            assert_int_equal(template_fill(template, job), 0);
            size_t measured = template_measure(NULL, template);
            for (int k = 0; k < 3; k++)
                measured += template_measure(cases[i].values[k], template);
            size_t argument_bytes = 0;
            for (int k = 0; job->argv[k]; k++)
                argument_bytes += strlen(job->argv[k]) + 1;
            assert_true(measured >= argument_bytes || job->argv[1][0] == '-');
            assert_true(measured >= strlen(job->argv[1][0] == '-' ? job->argv[2] : ""));
            free_job(job);
            template_close(template);
        }
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("parts of paths are those of GNU parallel", parts_of_paths_are_those_of_gnu_parallel),
        TEST("longer parts are there with plus", longer_parts_are_there_with_plus),
        TEST("values are edited with plus", values_are_edited_with_plus),
        TEST("letters change without an expression as bash has it",
             letters_change_without_an_expression_as_bash_has_it),
        TEST("edits stand for parts of several values", edits_stand_for_parts_of_several_values),
        TEST("an expression that is none is told", an_expression_that_is_none_is_told),
        TEST("jobs are left out where values are the same", jobs_are_left_out_where_values_are_the_same),
        TEST("what GNU parallel would replace is not passed on", what_gnu_parallel_would_replace_is_not_passed_on),
        TEST("functions of bash are run by bash", functions_of_bash_are_run_by_bash),
        TEST("values stand where replacement strings are", values_stand_where_replacement_strings_are),
        TEST("a single word that means something is run by a shell",
             a_single_word_that_means_something_is_run_by_a_shell),
        TEST("values are quoted as their place needs it", values_are_quoted_as_their_place_needs_it),
        TEST("what no quotes would keep apart is refused", what_no_quotes_would_keep_apart_is_refused),
        TEST("arithmetic takes numbers and names alone", arithmetic_takes_numbers_and_names_alone),
        TEST("a shell of another kind is refused", a_shell_of_another_kind_is_refused),
        TEST("with context a word is there for each value", with_context_a_word_is_there_for_each_value),
        TEST("words go to a shell if it is asked for", words_go_to_a_shell_if_it_is_asked_for),
        TEST("names stand for columns", names_stand_for_columns),
        TEST("replacement strings have the user's names", replacement_strings_have_the_users_names),
        TEST("a job may get none of its values", a_job_may_get_none_of_its_values),
        TEST("a value that cannot be there is told", a_value_that_cannot_be_there_is_told),
        TEST("what is longer than the system takes is told", what_is_longer_than_the_system_takes_is_told),
        TEST("a tag and texts are filled in without quotes", a_tag_and_texts_are_filled_in_without_quotes),
        TEST_LIMIT("every byte comes back from every shell", every_byte_comes_back_from_every_shell, 120),
        TEST("quoting tells how much room it needs", quoting_tells_how_much_room_it_needs),
        TEST("a block with a name is the value", a_block_with_a_name_is_the_value),
        TEST("a measure is never less than the line", a_measure_is_never_less_than_the_line),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
