/*
 * sorted.c - sorts the lines of a file, on all processors.
 *
 *     cc sorted.c $(pkg-config --cflags --libs salp) -o sorted
 *     sorted FILE
 *
 * The output is that of LC_ALL=C sort -s FILE. What is sorted is not the file, but an array that says where each line is.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <salp.h>

struct line {
    const char *text;
    size_t length; /* without the newline */
};

static int compare_lines(const void *a, const void *b, void *arg)
{
    (void)arg;
    const struct line *left = a, *right = b;
    size_t common = left->length < right->length ? left->length : right->length;
    int order = memcmp(left->text, right->text, common);
    return order ? order : (left->length > right->length) - (left->length < right->length);
}

/* All that is in the file; *text is to be freed. */
static int read_file(FILE *file, char **text, size_t *size)
{
    size_t room = 1 << 16;
    *size = 0;
    *text = malloc(room);
    while (*text) {
        *size += fread(*text + *size, 1, room - *size, file);
        if (ferror(file))
            return -EIO;
        if (*size < room)
            return 0;
        room *= 2;
        char *larger = realloc(*text, room);
        if (!larger)
            break;
        *text = larger;
    }
    return -ENOMEM;
}

/* Where the lines are; to be freed. NULL: no memory. */
static struct line *find_lines(const char *text, size_t size, size_t *count)
{
    const char *end = text + size;
    *count = size > 0 && end[-1] != '\n'; /* the last line may lack its newline */
    for (const char *at = text; at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
        ++*count;
    struct line *lines = malloc((*count + 1) * sizeof *lines);
    for (size_t i = 0; lines && i < *count; i++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        lines[i] = (struct line){ text, (size_t)((newline ? newline : end) - text) };
        text += lines[i].length + 1;
    }
    return lines;
}

static int print_sorted(const char *text, size_t size)
{
    size_t count;
    struct line *lines = find_lines(text, size, &count);
    if (!lines)
        return -ENOMEM;
    salp_pool *pool;
    int error = salp_pool_open(&pool, &(salp_pool_options){ .engine = SALP_THREADS });
    if (error == 0) {
        error = salp_sort(pool, lines, count, sizeof *lines, compare_lines, NULL);
        salp_pool_close(pool);
    }
    for (size_t i = 0; error == 0 && i < count; i++) {
        fwrite(lines[i].text, 1, lines[i].length, stdout);
        putchar('\n');
    }
    free(lines);
    if (error == 0 && (fflush(stdout) != 0 || ferror(stdout)))
        error = -EIO;
    return error;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: sorted FILE\n");
        return 2;
    }
    FILE *file = fopen(argv[1], "re");
    int error = file ? 0 : -errno;
    if (error == 0) {
        char *text;
        size_t size;
        error = read_file(file, &text, &size);
        if (error == 0)
            error = print_sorted(text, size);
        free(text);
        fclose(file);
    }
    if (error < 0)
        fprintf(stderr, "sorted: %s: %s\n", argv[1], salp_strerror(error));
    return error < 0;
}
