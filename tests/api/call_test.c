/*
 * Messages of any length to a job, and answers of any length from it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "jobs.h"

struct order {
    size_t answer; /* bytes to answer */
    int result;    /* what the job returns then */
};

static uint64_t hash_bytes(const void *data, size_t size)
{
    const unsigned char *p = data;
    uint64_t h = 14695981039346656037u;

    for (size_t i = 0; i < size; i++)
        h = (h ^ p[i]) * 1099511628211u;
    return h;
}

static unsigned char answer_byte(uint64_t h, size_t i)
{
    return (unsigned char)((h >> (i % 8 * 8)) + i / 8);
}

/* Answers in pieces of growing size, so that the buffer has to grow in the worker. */
static int job_answer(salp_bytes in, salp_buffer *out, void *context)
{
    const struct order *order = context;
    uint64_t h = hash_bytes(in.data, in.size);

    if (out->size != 0)
        return -EEXIST;
    while (out->size < order->answer) {
        size_t piece = out->size + 1, start = out->size;
        int result;

        if (piece > order->answer - start)
            piece = order->answer - start;
        result = salp_buffer_reserve(out, piece);
        if (result < 0)
            return result;
        for (size_t i = start; i < start + piece; i++)
            ((unsigned char *)out->data)[i] = answer_byte(h, i);
        out->size += piece;
    }
    return order->result;
}

static void messages_and_answers_may_have_any_length(void **state)
{
    const size_t longest = (size_t)test_scale(20000000);
    const size_t sizes[] = { 0, 1, 4095, 100000, longest };
    unsigned char *message = malloc(longest);
    salp_pool *pool = open_pool(test_engine(state), 2);

    assert_non_null(message);
    for (size_t i = 0; i < longest; i++)
        message[i] = (unsigned char)(i * 7 + i / 1021);
    for (size_t a = 0; a < LENGTH(sizes); a++)
        for (size_t b = 0; b < LENGTH(sizes); b++) {
            struct order order = { sizes[b], 0 };
            salp_buffer answer = { 0 };
            salp_bytes bytes = { sizes[a] ? message : NULL, sizes[a] };
            uint64_t h = hash_bytes(message, sizes[a]);
            const unsigned char *got;
            size_t wrong = 0;

            assert_int_equal(salp_call(pool, job_answer, bytes, &answer,
                                       &(salp_map_options){ .context = &order, .context_size = sizeof order }),
                             0);
            assert_int_equal(answer.size, sizes[b]);
            assert_true(answer.capacity >= answer.size);
            got = answer.data;
            for (size_t i = 0; i < sizes[b]; i++)
                wrong += got[i] != answer_byte(h, i);
            assert_int_equal(wrong, 0);
            salp_buffer_free(&answer);
        }
    assert_int_equal(salp_pool_close(pool), 0);
    free(message);
}

static void an_answer_is_appended_to_the_buffer(void **state)
{
    salp_buffer answer = { 0 };
    uint64_t h = hash_bytes("message", 7);
    salp_pool *pool = open_pool(test_engine(state), 2);

    assert_int_equal(salp_buffer_append(&answer, "before", 6), 0);
    for (size_t round = 0; round < 100; round++) {
        struct order order = { round, 0 };

        assert_int_equal(salp_call(pool, job_answer, (salp_bytes){ "message", 7 }, &answer,
                                   &(salp_map_options){ .context = &order, .context_size = sizeof order }),
                         0);
    }
    assert_int_equal(answer.size, 6 + 99 * 100 / 2);
    assert_memory_equal(answer.data, "before", 6);
    for (size_t round = 0, at = 6; round < 100; at += round++)
        for (size_t i = 0; i < round; i++)
            assert_int_equal(((unsigned char *)answer.data)[at + i], answer_byte(h, i));
    salp_buffer_free(&answer);
    assert_int_equal(salp_pool_close(pool), 0);
}

static void a_job_that_fails_by_its_own_result_still_answers(void **state)
{
    struct order order = { 5000, -EPROTO };
    salp_buffer answer = { 0 };
    static struct failures failures;
    int error = 0;
    salp_pool *pool = open_pool(test_engine(state), 2);

    assert_int_equal(salp_buffer_append(&answer, "x", 1), 0);
    assert_int_equal(salp_call(pool, job_answer, (salp_bytes){ "abc", 3 }, &answer,
                               &(salp_map_options){ .context = &order,
                                                    .context_size = sizeof order,
                                                    .errors = &error,
                                                    .on_failure = note_failure,
                                                    .on_failure_arg = &failures }),
                     -EPROTO);
    assert_int_equal(error, -EPROTO);
    assert_int_equal(failures.count, 1);
    assert_int_equal(answer.size, 5001);
    for (size_t i = 0; i < 5000; i++)
        assert_int_equal(((unsigned char *)answer.data)[1 + i], answer_byte(hash_bytes("abc", 3), i));
    salp_buffer_free(&answer);
    assert_int_equal(salp_pool_close(pool), 0);
}

static int job_answer_and_die(salp_bytes in, salp_buffer *out, void *context)
{
    (void)context;
    salp_buffer_append(out, in.data, in.size);
    raise(SIGKILL);
    return 0;
}

static void nothing_is_appended_when_the_worker_died(void **state)
{
    struct order order = { 10, 0 };
    salp_buffer answer = { 0 };
    salp_pool *pool = open_pool(SALP_PROCESSES, 1);

    (void)state;
    assert_int_equal(salp_buffer_append(&answer, "kept", 4), 0);
    assert_int_equal(salp_call(pool, job_answer_and_die, (salp_bytes){ "lost", 4 }, &answer, NULL), SALP_ECRASHED);
    assert_int_equal(answer.size, 4);
    assert_int_equal(salp_call(pool, job_answer, (salp_bytes){ NULL, 0 }, &answer,
                               &(salp_map_options){ .context = &order, .context_size = sizeof order }),
                     0);
    assert_int_equal(answer.size, 14);
    assert_memory_equal(answer.data, "kept", 4);
    salp_buffer_free(&answer);
    assert_int_equal(salp_pool_close(pool), 0);
}

static int job_write_message(salp_bytes in, salp_buffer *out, void *context)
{
    (void)out;
    (void)context;
    *(volatile char *)(uintptr_t)in.data = 'X';
    return 0;
}

static void a_job_that_writes_to_its_message_crashes(void **state)
{
    char message[100000] = "message";
    salp_buffer answer = { 0 };
    static struct failures failures;
    salp_pool *pool = open_pool(SALP_PROCESSES, 1);

    (void)state;
    assert_int_equal(salp_call(pool, job_write_message, (salp_bytes){ message, sizeof message }, &answer,
                               &(salp_map_options){ .on_failure = note_failure, .on_failure_arg = &failures }),
                     SALP_ECRASHED);
    assert_int_equal(failures.count, 1);
    assert_int_equal(failures.each[0].signal, SIGSEGV);
    assert_string_equal(message, "message");
    assert_int_equal(answer.size, 0);
    assert_int_equal(salp_pool_close(pool), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_ENGINES_LIMIT("messages and answers may have any length", messages_and_answers_may_have_any_length, 60),
        TEST_ENGINES("an answer is appended to the buffer", an_answer_is_appended_to_the_buffer),
        TEST_ENGINES("a job that fails by its own result still answers",
                     a_job_that_fails_by_its_own_result_still_answers),
        TEST("nothing is appended when the worker died", nothing_is_appended_when_the_worker_died),
        TEST("a job that writes to its message crashes", a_job_that_writes_to_its_message_crashes),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
