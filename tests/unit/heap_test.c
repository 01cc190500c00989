/*
 * The heap of timers: against a plain array.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <stdlib.h>

#include "base/heap.h"

enum { NODES = 500 };

static salp__heap heap;
static salp__heap_node nodes[NODES];

/* The node that has to be at the root: the lowest key, and of equal ones the first inserted. */
static salp__heap_node *first_of_all(void)
{
    salp__heap_node *first = NULL;
    for (int i = 0; i < NODES; i++) {
        salp__heap_node *node = &nodes[i];
        if (!salp__heap_holds(node))
            continue;
        if (!first || node->key < first->key || (node->key == first->key && node->number < first->number))
            first = node;
    }
    return first;
}

static void an_empty_heap_has_no_first(void **state)
{
    (void)state;
    assert_null(heap.root);
    salp__heap_insert(&heap, &nodes[0], 5);
    assert_ptr_equal(heap.root, &nodes[0]);
    assert_true(salp__heap_holds(&nodes[0]));
    salp__heap_remove(&heap, &nodes[0]);
    assert_null(heap.root);
    assert_false(salp__heap_holds(&nodes[0]));
}

static void nodes_come_out_in_order(void **state)
{
    int64_t last = INT64_MIN;
    (void)state;
    for (int i = 0; i < NODES; i++)
        salp__heap_insert(&heap, &nodes[i], (i * 7919) % 1009 - 500);
    for (int i = 0; i < NODES; i++) {
        salp__heap_node *node = heap.root;
        assert_non_null(node);
        assert_true(node->key >= last);
        last = node->key;
        salp__heap_remove(&heap, node);
    }
    assert_null(heap.root);
}

static void equal_keys_come_out_as_they_went_in(void **state)
{
    (void)state;
    for (int i = 0; i < NODES; i++)
        salp__heap_insert(&heap, &nodes[i], i % 3);
    for (int key = 0; key < 3; key++) {
        for (int i = key; i < NODES; i += 3) {
            assert_ptr_equal(heap.root, &nodes[i]);
            salp__heap_remove(&heap, &nodes[i]);
        }
    }
}

static void the_extreme_keys_have_their_places(void **state)
{
    (void)state;
    salp__heap_insert(&heap, &nodes[0], INT64_MAX);
    salp__heap_insert(&heap, &nodes[1], INT64_MIN);
    salp__heap_insert(&heap, &nodes[2], 0);
    assert_ptr_equal(heap.root, &nodes[1]);
    salp__heap_remove(&heap, &nodes[1]);
    assert_ptr_equal(heap.root, &nodes[2]);
    salp__heap_remove(&heap, &nodes[2]);
    assert_ptr_equal(heap.root, &nodes[0]);
}

static void any_node_can_be_removed_at_any_time(void **state)
{
    unsigned random = 1;
    (void)state;
    for (int step = 0; step < 20000; step++) {
        salp__heap_node *node = &nodes[rand_r(&random) % NODES];
        if (salp__heap_holds(node))
            salp__heap_remove(&heap, node);
        else
            salp__heap_insert(&heap, node, rand_r(&random) % 100);
        assert_ptr_equal(heap.root, first_of_all());
    }
    while (heap.root) {
        assert_ptr_equal(heap.root, first_of_all());
        salp__heap_remove(&heap, heap.root);
    }
    for (int i = 0; i < NODES; i++)
        assert_false(salp__heap_holds(&nodes[i]));
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("an empty heap has no first", an_empty_heap_has_no_first),
        TEST("nodes come out in order", nodes_come_out_in_order),
        TEST("equal keys come out as they went in", equal_keys_come_out_as_they_went_in),
        TEST("the extreme keys have their places", the_extreme_keys_have_their_places),
        TEST("any node can be removed at any time", any_node_can_be_removed_at_any_time),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
