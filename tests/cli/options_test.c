/*
 * What salp map understands by its arguments. (What it refuses ends the program: tests/cli/map_test.)
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include "job/nearest.h"
#include "map/option_list.h"
#include "map/options.h"

enum { MOST = 32 };

static struct map_options read_options(const char *const *words)
{
    static char all_copies[2][MOST][64]; /* what the options point to; of the last two calls */
    static char *all_argv[2][MOST + 1];
    static int calls;
    char(*copies)[64] = all_copies[calls % 2], **argv = all_argv[calls % 2];
    calls++;
    struct map_options options;
    int argc = 1;
    argv[0] = strcpy(copies[0], "salp map");
    for (; words[argc - 1]; argc++)
        argv[argc] = strcpy(copies[argc], words[argc - 1]);
    argv[argc] = NULL;
    map_options_read(&options, argc, argv);
    return options;
}

#define READ(...) read_options((const char *const[]){ __VA_ARGS__, NULL })

static void the_command_begins_where_options_end(void **state)
{
    (void)state;
    struct map_options o = READ("-k", "-j", "3", "echo", "-k", "--tag", "x");
    assert_true(o.output.keep_order);
    assert_null(o.template.tag);
    assert_int_equal(o.slots.kind, MAP_SLOTS_NUMBER);
    assert_true(o.slots.number == 3);
    assert_int_equal(o.template.word_count, 4);
    assert_string_equal(o.template.words[1], "-k");
    assert_int_equal(o.input.list_count, 0);
    map_options_free(&o);

    o = READ("--tag", "--", "-command");
    assert_int_equal(o.template.word_count, 1);
    assert_string_equal(o.template.words[0], "-command");
    assert_string_equal(o.template.tag, "{}\t");
    map_options_free(&o);
}

static void lists_follow_the_command(void **state)
{
    (void)state;
    struct map_options o =
        READ("-a", "first", "echo", ":::", "1", "2", ":::+", "a", "b", "::::", "x", "y", "::::+", "z", ":::");
    assert_int_equal(o.template.word_count, 1);
    assert_int_equal(o.input.list_count, 7);
    assert_string_equal(o.input.lists[0].path, "first");
    assert_null(o.input.lists[1].path);
    assert_int_equal(o.input.lists[1].value_count, 2);
    assert_string_equal(o.input.lists[1].values[1], "2");
    assert_false(o.input.lists[1].linked);
    assert_true(o.input.lists[2].linked);
    assert_string_equal(o.input.lists[3].path, "x");
    assert_string_equal(o.input.lists[4].path, "y");
    assert_false(o.input.lists[4].linked);
    assert_string_equal(o.input.lists[5].path, "z");
    assert_true(o.input.lists[5].linked);
    assert_int_equal(o.input.lists[6].value_count, 0);
    map_options_free(&o);

    o = READ("--arg-sep", ",,", "--arg-file-sep", ";;", "echo", ":::", ",,", "1", ";;+", "f");
    assert_int_equal(o.template.word_count, 2);
    assert_int_equal(o.input.list_count, 2);
    assert_true(o.input.lists[1].linked);
    map_options_free(&o);
}

static void letters_and_names_mean_the_same(void **state)
{
    (void)state;
    struct map_options a = READ("-0kuj2", "-n4", "-C,", "-Ix", "-q", "-r", "-s100", "-EEND", "true");
    struct map_options b =
        READ("--null", "--keep-order", "--ungroup", "--max-procs=2", "--max-args", "4", "--colsep", ",", "--replace=x",
             "--quote", "--no-run-if-empty", "--max-chars=100", "--eof=END", "true");
    assert_int_equal(a.input.delimiter, b.input.delimiter);
    assert_int_equal(a.output.way, OUTPUT_UNGROUPED);
    assert_int_equal(b.output.way, OUTPUT_UNGROUPED);
    assert_true(a.output.keep_order && b.output.keep_order && a.template.quote && b.template.quote);
    assert_true(a.slots.number == 2 && b.slots.number == 2);
    assert_int_equal(a.input.max_args, 4);
    assert_int_equal(b.input.max_args, 4);
    assert_string_equal(a.input.columns, b.input.columns);
    assert_string_equal(a.template.replace, b.template.replace);
    assert_true(a.skip_if_empty && b.skip_if_empty);
    assert_int_equal(a.input.max_chars, b.input.max_chars);
    assert_string_equal(a.input.end, b.input.end);
    map_options_free(&a);
    map_options_free(&b);
}

static void some_options_mean_other_things_with_pipe(void **state)
{
    (void)state;
    struct map_options o =
        READ("--pipe", "-N", "10", "-L", "4", "--header", "#.*\\n", "--recend", "\\0", "--block", "2M", "wc");
    assert_true(o.input.pipe && o.input.block_header && o.template.no_append);
    assert_int_equal(o.input.block_records, 10);
    assert_int_equal(o.input.block_lines, 4);
    assert_int_equal(o.input.max_args, 0);
    assert_int_equal(o.input.max_lines, 0);
    assert_string_equal(o.input.block_header_regexp, "#.*\\n");
    assert_false(o.input.header);
    assert_int_equal(o.input.record_end_size, 1);
    assert_int_equal(o.input.record_end[0], 0);
    assert_int_equal(o.input.block, 2 << 20);
    map_options_free(&o);

    o = READ("-N", "10", "-L", "4", "--header", ":", "wc");
    assert_int_equal(o.input.max_args, 10);
    assert_int_equal(o.input.max_lines, 4);
    assert_true(o.input.header);
    assert_int_equal(o.input.block_records, 0);
    map_options_free(&o);
}

static void what_is_a_way_of_pipe_need_not_say_so(void **state)
{
    (void)state;
    struct map_options o = READ("--cat", "-N", "3", "wc");
    assert_true(o.cat && !o.fifo && o.input.pipe && !o.template.no_append);
    assert_int_equal(o.input.block_records, 3);
    map_options_free(&o);
    o = READ("--fifo", "--pipe", "wc");
    assert_true(o.fifo && !o.cat && o.input.pipe && !o.template.no_append);
    map_options_free(&o);
    o = READ("--pipepart", "wc");
    assert_true(o.input.pipe && o.template.no_append);
    map_options_free(&o);
    o = READ("--pipe", "--tee", "wc", ":::", "a", "b");
    assert_true(o.tee && !o.input.pipe && o.template.no_append);
    assert_int_equal(o.input.list_count, 1);
    map_options_free(&o);
    o = READ("--roundrobin", "--retries", "1", "wc");
    assert_true(o.round_robin && o.input.pipe && o.template.no_append);
    map_options_free(&o);
}

static void delimiters_replace_each_other(void **state)
{
    (void)state;
    struct map_options o = READ("-d", "ab", "-d", "\\t", "x");
    assert_int_equal(o.input.delimiter, '\t');
    assert_null(o.input.delimiters);
    map_options_free(&o);
    o = READ("-0", "-d", "abc", "x");
    assert_string_equal(o.input.delimiters, "abc");
    map_options_free(&o);
    o = READ("x");
    assert_int_equal(o.input.delimiter, '\n');
    map_options_free(&o);
}

static void options_that_are_not_there_have_a_reason(void **state)
{
    (void)state;
    assert_non_null(map_option_refusal("sshlogin"));
    assert_non_null(map_option_refusal("S"));
    assert_null(map_option_refusal(""));
    assert_null(map_option_refusal("jobs"));
    assert_null(map_option_refusal("sshlogin slf"));
    for (int i = 0; i < map_option_count; i++) {
        const struct map_option *option = &map_option_list[i];
        if (option->kind != MAP_OPTION_HEADING && option->name && map_option_refusal(option->name))
            fail_msg("--%s is there, and refused", option->name);
    }
}

static void each_name_and_letter_is_there_once(void **state)
{
    (void)state;
    for (int i = 0; i < map_option_count; i++) {
        const struct map_option *a = &map_option_list[i];
        for (int j = i + 1; j < map_option_count && a->kind != MAP_OPTION_HEADING; j++) {
            const struct map_option *b = &map_option_list[j];
            bool same = b->kind != MAP_OPTION_HEADING && ((a->letter && a->letter == b->letter) ||
                                                          (a->name && b->name && strcmp(a->name, b->name) == 0));
            if (same)
                fail_msg("-%c --%s is there twice", a->letter ? a->letter : ' ', a->name ? a->name : "");
        }
    }
}

static const char *next_word(int *at, const void *words)
{
    return ((const char *const *)words)[(*at)++];
}

static void the_word_that_was_meant_is_found(void **state)
{
    (void)state;
    static const char *const words[] = { "jobs", "joblog", "timeout", "x", NULL };
    assert_string_equal(job_nearest("jbs", next_word, words), "jobs");
    assert_string_equal(job_nearest("joblogs", next_word, words), "joblog");
    assert_string_equal(job_nearest("time", next_word, words), "timeout");
    assert_string_equal(job_nearest("itmeout", next_word, words), "timeout");
    assert_null(job_nearest("frobnicate", next_word, words));
    assert_null(job_nearest("", next_word, words));
    assert_null(job_nearest("y", next_word, words));
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("the command begins where options end", the_command_begins_where_options_end),
        TEST("lists follow the command", lists_follow_the_command),
        TEST("letters and names mean the same", letters_and_names_mean_the_same),
        TEST("some options mean other things with --pipe", some_options_mean_other_things_with_pipe),
        TEST("what is a way of --pipe need not say so", what_is_a_way_of_pipe_need_not_say_so),
        TEST("delimiters replace each other", delimiters_replace_each_other),
        TEST("options that are not there have a reason", options_that_are_not_there_have_a_reason),
        TEST("each name and letter is there once", each_name_and_letter_is_there_once),
        TEST("the word that was meant is found", the_word_that_was_meant_is_found),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
