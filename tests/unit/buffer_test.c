/*
 * Buffers, through the public header.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

/* A buffer whose contents and bookkeeping agree. */
static void assert_whole(const salp_buffer *buffer, size_t size)
{
    assert_int_equal(buffer->size, size);
    assert_true(buffer->capacity >= buffer->size);
    assert_true(buffer->data || buffer->capacity == 0);
}

static void appended_bytes_are_there_in_order(void **state)
{
    (void)state;
    salp_buffer buffer = { 0 };
    assert_int_equal(salp_buffer_append(&buffer, "chain ", 6), 0);
    assert_int_equal(salp_buffer_append(&buffer, "of ", 3), 0);
    assert_int_equal(salp_buffer_append(&buffer, "salps", 6), 0);
    assert_whole(&buffer, 15);
    assert_string_equal(buffer.data, "chain of salps");
    salp_buffer_free(&buffer);
}

static void bytes_of_every_value_are_kept(void **state)
{
    (void)state;
    salp_buffer buffer = { 0 };
    unsigned char bytes[256];
    for (int i = 0; i < 256; i++)
        bytes[i] = (unsigned char)i;
    for (int i = 0; i < 3; i++)
        assert_int_equal(salp_buffer_append(&buffer, bytes, sizeof bytes), 0);
    assert_whole(&buffer, 3 * sizeof bytes);
    for (int i = 0; i < 3; i++)
        assert_memory_equal((char *)buffer.data + i * sizeof bytes, bytes, sizeof bytes);
    salp_buffer_free(&buffer);
}

/* One byte at a time: what was there before stays, and the memory does not move for each byte. */
static void a_buffer_grows_by_leaps(void **state)
{
    (void)state;
    enum { COUNT = 1000000 };
    salp_buffer buffer = { 0 };
    int leaps = 0;
    for (int i = 0; i < COUNT; i++) {
        size_t capacity = buffer.capacity;
        unsigned char byte = (unsigned char)(i * 7 % 251);
        assert_int_equal(salp_buffer_append(&buffer, &byte, 1), 0);
        leaps += buffer.capacity != capacity;
    }
    assert_whole(&buffer, COUNT);
    for (int i = 0; i < COUNT; i++)
        if (((unsigned char *)buffer.data)[i] != i * 7 % 251)
            fail_msg("byte %d is %d", i, ((unsigned char *)buffer.data)[i]);
    assert_in_range(leaps, 1, 40);
    salp_buffer_free(&buffer);
}

static void reserved_room_can_be_written_and_counted(void **state)
{
    (void)state;
    salp_buffer buffer = { 0 };
    assert_int_equal(salp_buffer_append(&buffer, "ab", 2), 0);
    assert_int_equal(salp_buffer_reserve(&buffer, 1000), 0);
    assert_whole(&buffer, 2);
    assert_true(buffer.capacity >= 1002);
    memset((char *)buffer.data + buffer.size, 'c', 1000);
    buffer.size += 1000;

    /* Room that is there is not made again. */
    void *data = buffer.data;
    size_t capacity = buffer.capacity;
    assert_int_equal(salp_buffer_reserve(&buffer, capacity - buffer.size), 0);
    assert_ptr_equal(buffer.data, data);
    assert_int_equal(buffer.capacity, capacity);
    assert_int_equal(salp_buffer_reserve(&buffer, capacity - buffer.size + 1), 0);
    assert_true(buffer.capacity > capacity);
    assert_memory_equal(buffer.data, "abcccc", 6);
    salp_buffer_free(&buffer);
}

static void nothing_can_be_appended(void **state)
{
    (void)state;
    salp_buffer buffer = { 0 };
    assert_int_equal(salp_buffer_append(&buffer, NULL, 0), 0);
    assert_int_equal(salp_buffer_append(&buffer, "", 0), 0);
    assert_int_equal(salp_buffer_reserve(&buffer, 0), 0);
    assert_whole(&buffer, 0);
    assert_int_equal(salp_buffer_append(&buffer, "x", 1), 0);
    assert_int_equal(salp_buffer_append(&buffer, NULL, 0), 0);
    assert_whole(&buffer, 1);
    salp_buffer_free(&buffer);
}

static void missing_arguments_are_refused(void **state)
{
    (void)state;
    salp_buffer buffer = { 0 };
    assert_int_equal(salp_buffer_reserve(NULL, 1), -EINVAL);
    assert_int_equal(salp_buffer_append(NULL, "x", 1), -EINVAL);
    assert_int_equal(salp_buffer_append(&buffer, NULL, 1), -EINVAL);
    assert_whole(&buffer, 0);
    assert_null(buffer.data);
}

/* Sizes that overflow, and one that is only too large for this machine: nothing changes. */
static void too_much_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    static const size_t sizes[] = { SIZE_MAX,         SIZE_MAX - 2,     SIZE_MAX / 2,
                                    SIZE_MAX / 2 - 2, SIZE_MAX / 2 - 3, SIZE_MAX / 4 };
    salp_buffer buffer = { 0 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(salp_buffer_reserve(&buffer, sizes[i]), -ENOMEM);
        assert_whole(&buffer, 0);
        assert_null(buffer.data);
    }
    assert_int_equal(salp_buffer_append(&buffer, "abc", 3), 0);
    salp_buffer before = buffer;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(salp_buffer_reserve(&buffer, sizes[i]), -ENOMEM);
        assert_int_equal(salp_buffer_append(&buffer, "x", sizes[i]), -ENOMEM);
        assert_memory_equal(&buffer, &before, sizeof buffer);
        assert_memory_equal(buffer.data, "abc", 3);
    }
    salp_buffer_free(&buffer);
}

static void a_freed_buffer_is_empty_and_can_be_used_again(void **state)
{
    (void)state;
    salp_buffer buffer = { 0 };
    salp_buffer_free(NULL);
    salp_buffer_free(&buffer);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(salp_buffer_append(&buffer, "again", 6), 0);
        assert_string_equal(buffer.data, "again");
        salp_buffer_free(&buffer);
        assert_null(buffer.data);
        assert_int_equal(buffer.size, 0);
        assert_int_equal(buffer.capacity, 0);
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("appended bytes are there, in order", appended_bytes_are_there_in_order),
        TEST("bytes of every value are kept", bytes_of_every_value_are_kept),
        TEST("a buffer grows by leaps", a_buffer_grows_by_leaps),
        TEST("reserved room can be written and counted", reserved_room_can_be_written_and_counted),
        TEST("nothing can be appended", nothing_can_be_appended),
        TEST("missing arguments are refused", missing_arguments_are_refused),
        TEST("too much is refused and changes nothing", too_much_is_refused_and_changes_nothing),
        TEST("a freed buffer is empty and can be used again", a_freed_buffer_is_empty_and_can_be_used_again),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
