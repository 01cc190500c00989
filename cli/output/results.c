/* Folders and files of results. SPDX-License-Identifier: MIT */
#include "output/results.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <salp/buffer.h>

enum { NAME = 255, CUT = 200 }; /* bytes: the longest name of a file; what is left of a longer one */

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), wanted = strlen(end);
    return length >= wanted && strcmp(text + length - wanted, end) == 0;
}

void output_results_open(struct output_results *results, const struct output_options *options, const char *temporary)
{
    *results = (struct output_results){
        .path = options->results,
        .temporary = temporary,
        .names = options->names,
        .name_count = options->name_count,
        .separator = ',',
    };
    if (!options->results) {
        results->kind = options->files ? OUTPUT_RESULTS_FILES : OUTPUT_RESULTS_NONE;
    } else if (ends_with(options->results, ".csv")) {
        results->kind = OUTPUT_RESULTS_TABLE;
    } else if (ends_with(options->results, ".tsv")) {
        results->kind = OUTPUT_RESULTS_TABLE;
        results->separator = '\t';
    } else {
        results->kind = OUTPUT_RESULTS_FOLDER;
    }
}

/* ---- paths ---- */

/* A path that grows; the first error stays. */
struct path {
    salp_buffer buffer;
    int error;
};

static void add(struct path *path, const char *bytes, size_t size)
{
    if (path->error == 0)
        path->error = salp_buffer_append(&path->buffer, bytes, size);
}

static void add_text(struct path *path, const char *text)
{
    add(path, text, strlen(text));
}

/* A value as the name of a folder. */
static void add_value(struct path *path, const char *value, uint64_t number)
{
    char tail[32];
    size_t begin = path->buffer.size;
    if (!*value)
        add_text(path, "\\e");
    if (strcmp(value, ".") == 0 || strcmp(value, "..") == 0)
        add_text(path, "\\");
    for (; *value; value++) {
        if (*value == '/')
            add_text(path, "\\_");
        else if (*value == '\\')
            add_text(path, "\\\\");
        else if (*value == '\t')
            add_text(path, "\\t");
        else
            add(path, value, 1);
    }
    if (path->error < 0 || path->buffer.size - begin <= NAME)
        return;
    path->buffer.size = begin + CUT;
    add(path, tail, (size_t)snprintf(tail, sizeof tail, "\\#%" PRIu64, number));
}

/* Without values, as with --pipe, the number tells jobs apart. */
static void add_job(struct path *path, const struct output_results *results, const struct job *job)
{
    char number[24];
    for (int i = 0; i < job->value_count; i++) {
        add(path, "/", 1);
        if (i < results->name_count)
            add_value(path, results->names[i], job->number);
        else
            add(path, number, (size_t)snprintf(number, sizeof number, "%d", i + 1));
        add(path, "/", 1);
        add_value(path, job->values[i], job->number);
    }
    if (job->value_count == 0)
        add(path, number, (size_t)snprintf(number, sizeof number, "/%" PRIu64, job->number));
    add_text(path, "/");
}

/* Makes the folders that lead to what is behind the last slash. */
static int make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int error = mkdir(path, 0777) < 0 && errno != EEXIST ? -errno : 0;
        *slash = '/';
        if (error < 0)
            return error;
    }
    return 0;
}

/* ---- files ---- */

/* A file of its own: another job with the same values may be writing what was there. */
static int open_new(const char *path)
{
    if (unlink(path) < 0 && errno != ENOENT)
        return -errno;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return fd < 0 ? -errno : fd;
}

static int write_number(const char *path, uint64_t number)
{
    int fd = open_new(path);
    if (fd < 0)
        return fd;
    int error = dprintf(fd, "%" PRIu64, number) < 0 ? -errno : 0;
    if (close(fd) < 0 && error == 0)
        error = -errno;
    return error;
}

/* The path, with one of three ends, is what `open` gets. */
static int with_end(struct path *path, const char *end)
{
    add(path, end, strlen(end) + 1);
    if (path->error == 0)
        path->buffer.size -= strlen(end) + 1;
    return path->error;
}

static int open_three(struct path *path, const char *const ends[3], uint64_t number, int fds[2])
{
    int error = with_end(path, ends[2]);
    if (error == 0)
        error = make_folders(path->buffer.data);
    if (error == 0)
        error = write_number(path->buffer.data, number);
    for (int i = 1; i >= 0 && error == 0; i--) { /* the path is that of the output afterwards */
        error = with_end(path, ends[i]);
        fds[i] = error == 0 ? open_new(path->buffer.data) : -1;
        if (fds[i] < 0)
            error = error < 0 ? error : fds[i];
    }
    if (error < 0 && fds[1] >= 0) {
        close(fds[1]);
        fds[1] = -1;
    }
    return error;
}

static int open_temporary(struct path *path, const char *folder, int fds[2])
{
    add_text(path, folder);
    int error = with_end(path, "/salp-XXXXXX.out");
    if (error < 0)
        return error;
    fds[0] = mkostemps(path->buffer.data, 4, O_CLOEXEC);
    return fds[0] < 0 ? -errno : 0;
}

static int open_files(const struct output_results *results, const struct job *job, struct path *path, int fds[2])
{
    static const char *const in_folder[] = { "stdout", "stderr", "seq" }, *const beside[] = { "", ".err", ".seq" };
    if (results->kind == OUTPUT_RESULTS_FILES)
        return open_temporary(path, results->temporary, fds);
    if (job->results) {
        add_text(path, job->results);
        return open_three(path, ends_with(job->results, "/") ? in_folder : beside, job->number, fds);
    }
    add_text(path, results->path);
    add_job(path, results, job);
    return open_three(path, in_folder, job->number, fds);
}

/* ---- copies ---- */

void output_copies_init(struct output_copies *copies)
{
    *copies = (struct output_copies){ .fds = { -1, -1 } };
}

int output_copies_open(struct output_copies *copies, const struct output_results *results, const struct job *job)
{
    if (results->kind != OUTPUT_RESULTS_FOLDER && results->kind != OUTPUT_RESULTS_FILES)
        return 0;
    if (copies->name && results->kind == OUTPUT_RESULTS_FILES)
        unlink(copies->name); /* of the attempt before */
    output_copies_free(copies);
    struct path path = { 0 };
    int error = open_files(results, job, &path, copies->fds);
    if (error == 0)
        copies->name = path.buffer.data;
    else
        salp_buffer_free(&path.buffer);
    return error;
}

int output_copies_write(const struct output_copies *copies, int which, const void *bytes, size_t size)
{
    const char *next = bytes;
    while (copies->fds[which] >= 0 && size > 0) {
        ssize_t written = write(copies->fds[which], next, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? -errno : -EIO;
        next += written;
        size -= (size_t)written;
    }
    return 0;
}

int output_copies_close(struct output_copies *copies)
{
    int error = 0;
    for (int i = 0; i < 2; i++) {
        if (copies->fds[i] >= 0 && close(copies->fds[i]) < 0 && error == 0)
            error = -errno;
        copies->fds[i] = -1;
    }
    return error;
}

void output_copies_free(struct output_copies *copies)
{
    (void)output_copies_close(copies);
    free(copies->name);
    output_copies_init(copies);
}
