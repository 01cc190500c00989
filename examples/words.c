/*
 * words.c - counts lines, words and bytes, as wc does, on all processors.
 *
 *     cc words.c $(pkg-config --cflags --libs salp) -o words
 *     words FILE...
 *
 * A file is an array of bytes, and counting is a reduction: each piece is counted by whoever has time, and the counts are
 * added. A word may reach from one piece into the next. So it is counted where it begins, which is seen from the byte
 * before: pieces share the memory, and may look across their borders.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <salp.h>

struct counts {
    size_t lines, words;
};

static int count_piece(size_t begin, size_t end, void *result, void *arg)
{
    const unsigned char *text = arg;
    struct counts *counts = result;
    for (size_t i = begin; i < end; i++) {
        counts->lines += text[i] == '\n';
        counts->words += !isspace(text[i]) && (i == 0 || isspace(text[i - 1]));
    }
    return 0;
}

static void add(void *result, const void *right, void *arg)
{
    (void)arg;
    struct counts *counts = result;
    const struct counts *more = right;
    counts->lines += more->lines;
    counts->words += more->words;
}

/* The whole file, to be read where it is; *text is NULL when it is empty. */
static int map_file(const char *name, void **text, size_t *size)
{
    *text = NULL;
    *size = 0;
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct stat status;
    int error = fstat(fd, &status) < 0 ? -errno : 0;
    if (error == 0 && !S_ISREG(status.st_mode))
        error = S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL;
    if (error == 0 && (*size = (size_t)status.st_size) > 0) {
        *text = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (*text == MAP_FAILED)
            error = -errno;
    }
    close(fd);
    return error;
}

static int count_file(salp_pool *pool, const char *name)
{
    void *text;
    size_t size;
    int error = map_file(name, &text, &size);
    if (error < 0)
        return error;
    struct counts counts = { 0 };
    error = salp_reduce(pool, 0, size, sizeof counts, count_piece, add, &counts, text, NULL);
    if (text)
        munmap(text, size);
    if (error == 0)
        printf("%zu %zu %zu %s\n", counts.lines, counts.words, size, name);
    return error;
}

int main(int argc, char **argv)
{
    salp_pool *pool;
    int error = salp_pool_open(&pool, &(salp_pool_options){ .engine = SALP_THREADS });
    if (error < 0) {
        fprintf(stderr, "words: cannot open a pool: %s\n", salp_strerror(error));
        return 1;
    }
    int status = 0;
    for (int i = 1; i < argc; i++) {
        error = count_file(pool, argv[i]);
        if (error < 0) {
            fprintf(stderr, "words: %s: %s\n", argv[i], salp_strerror(error));
            status = 1;
        }
    }
    salp_pool_close(pool);
    return status;
}
