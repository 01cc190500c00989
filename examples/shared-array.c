/*
 * shared-array.c - a process changes a number and an array that its parent has opened.
 *
 *     cc shared-array.c $(pkg-config --cflags --libs salp) -o shared-array
 *
 * The well-known program with a shared value and a shared array. Nothing is sent: the child stores to the memory, and the
 * parent reads it after the child has ended. Two that store at the same time would need a mutex.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <salp.h>

static void change(double *number, int *numbers, size_t count)
{
    *number = 3.1415927;
    for (size_t i = 0; i < count; i++)
        numbers[i] = -numbers[i];
}

/* Starts a child that changes them, and waits for it. */
static int have_changed(double *number, int *numbers, size_t count)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        change(number, numbers, count);
        _exit(0);
    }
    return child > 0 && waitpid(child, &status, 0) == child && status == 0 ? 0 : -1;
}

int main(void)
{
    salp_shared *value = NULL, *array = NULL;
    int result = salp_shared_array(&value, 1, sizeof(double));
    if (result == 0)
        result = salp_shared_array(&array, 10, sizeof(int));
    if (result < 0) {
        fprintf(stderr, "shared-array: %s\n", salp_strerror(result));
        salp_shared_close(value);
        return 1;
    }
    double *number = salp_shared_data(value);
    int *numbers = salp_shared_data(array);
    for (int i = 0; i < 10; i++)
        numbers[i] = i;
    result = have_changed(number, numbers, salp_shared_count(array));
    printf("%.7f\n[", *number);
    for (int i = 0; i < 10; i++)
        printf("%d%s", numbers[i], i < 9 ? ", " : "]\n");
    salp_shared_close(array);
    salp_shared_close(value);
    return result < 0;
}
