/*
 * The texts of errors, through the public header.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <ctype.h>

#define ENTRY(name, number, text) { name, number, #name, text },
static const struct {
    int value;
    int number;
    const char *name;
    const char *text;
} own_errors[] = { SALP_ERRORS(ENTRY) };
enum { OWN_COUNT = sizeof own_errors / sizeof *own_errors };

/* Constant, in one line, and without a full stop, so that it can stand in a sentence. */
static void assert_fits_in_a_sentence(const char *text)
{
    assert_non_null(text);
    size_t length = strlen(text);
    assert_in_range(length, 1, 120);
    assert_int_not_equal(text[length - 1], '.');
    for (size_t i = 0; i < length; i++)
        if (!isprint((unsigned char)text[i]))
            fail_msg("'%s' has the byte %#x", text, (unsigned char)text[i]);
}

static void success_reads_success(void **state)
{
    (void)state;
    assert_string_equal(salp_strerror(0), "success");
    assert_string_equal(salp_strerror(1), "success");
    assert_string_equal(salp_strerror(INT_MAX), "success");
}

static void own_errors_have_their_texts(void **state)
{
    (void)state;
    assert_true(OWN_COUNT >= 8);
    for (int i = 0; i < OWN_COUNT; i++) {
        assert_int_equal(own_errors[i].value, own_errors[i].number);
        assert_string_equal(salp_strerror(own_errors[i].value), own_errors[i].text);
        assert_fits_in_a_sentence(own_errors[i].text);
        assert_true(strncmp(own_errors[i].name, "SALP_E", 6) == 0);
    }
}

/* What processes, pools and commands have in common names none of them. */
static void texts_are_for_all_who_give_the_error(void **state)
{
    (void)state;
    assert_null(strstr(salp_strerror(SALP_EUNKNOWN), "worker"));
    assert_null(strstr(salp_strerror(SALP_EKILLED), "command"));
}

static void own_errors_are_below_errno_and_differ(void **state)
{
    (void)state;
    for (int i = 0; i < OWN_COUNT; i++) {
        assert_true(own_errors[i].value < -4096);
        for (int k = 0; k < i; k++) {
            assert_int_not_equal(own_errors[i].value, own_errors[k].value);
            assert_string_not_equal(own_errors[i].text, own_errors[k].text);
        }
    }
}

static void system_errors_have_the_texts_of_the_system(void **state)
{
    (void)state;
    static const int errors[] = { ENOMEM, EINVAL, ETIMEDOUT, ECANCELED, EAGAIN, ENOTSUP, EALREADY, ENOSPC, EMFILE };
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        assert_string_equal(salp_strerror(-errors[i]), strerror(errors[i]));
        assert_fits_in_a_sentence(salp_strerror(-errors[i]));
    }
}

/* Every number, named or not: a text, and always the same one. */
static void every_number_has_a_constant_text(void **state)
{
    (void)state;
    static const char *texts[8192];
    for (int i = 0; i < 8192; i++) {
        texts[i] = salp_strerror(-i);
        assert_fits_in_a_sentence(texts[i]);
    }
    for (int i = 0; i < 8192; i++)
        assert_ptr_equal(salp_strerror(-i), texts[i]);
    assert_string_not_equal(texts[4000], "success");
    assert_fits_in_a_sentence(salp_strerror(INT_MIN));
    assert_fits_in_a_sentence(salp_strerror(INT_MIN + 1));
    assert_fits_in_a_sentence(salp_strerror(-4096));
}

static void errno_stays_as_it_was(void **state)
{
    (void)state;
    static const int errors[] = { 0, -ENOMEM, SALP_ECRASHED, -4000, INT_MIN };
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        errno = 4242;
        salp_strerror(errors[i]);
        assert_int_equal(errno, 4242);
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("success reads \"success\"", success_reads_success),
        TEST("Salp's own errors have their texts", own_errors_have_their_texts),
        TEST("texts are for all who give the error", texts_are_for_all_who_give_the_error),
        TEST("Salp's own errors are below errno, and differ", own_errors_are_below_errno_and_differ),
        TEST("errors of the system have the texts of the system", system_errors_have_the_texts_of_the_system),
        TEST("every number has a constant text", every_number_has_a_constant_text),
        TEST("errno stays as it was", errno_stays_as_it_was),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
