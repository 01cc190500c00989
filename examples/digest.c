/*
 * digest.c - the SHA-256 digest of every file below a folder, computed on all cores.
 *
 *     digest [--threads] [--workers N] [--plain] [DIR]
 *
 * The output is that of sha256sum, in the order of the names' bytes:
 *
 *     find DIR -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
 *
 * A file that cannot be read is reported on standard error and the exit status is 1, as with
 * sha256sum. Unless --plain is given, standard error gets a progress bar (on a terminal) and, at the
 * end, the time that the same work takes in line and on the pool.
 *
 * Worth copying from here: the names are collected *before* the pool is opened. Worker processes see
 * the memory of this program as it was then, so an item is just a pointer to a name.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <salp.h>

struct digest {
    unsigned char bytes[SHA256_DIGEST_LENGTH];
};

/* The files below a folder. */
struct files {
    char **names;
    size_t count;
    size_t capacity;
    bool incomplete; /* a folder could not be read */
};

/* What became of them. */
struct outcome {
    struct digest *digests;
    int *errors; /* 0, or why there is no digest */
};

/* ---- the job ---- */

static int digest_descriptor(int fd, EVP_MD_CTX *state, struct digest *digest)
{
    if (EVP_DigestInit_ex(state, EVP_sha256(), NULL) != 1)
        return -ENOMEM;
    char buffer[32 * 1024];
    for (;;) {
        ssize_t size = read(fd, buffer, sizeof buffer);
        if (size == 0)
            break;
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return -errno;
        if (EVP_DigestUpdate(state, buffer, (size_t)size) != 1)
            return -EIO;
    }
    return EVP_DigestFinal_ex(state, digest->bytes, NULL) == 1 ? 0 : -EIO;
}

/* Reads a pointer to a name, writes a digest. A negative errno value becomes this file's error. */
static int digest_file(const void *in, void *out, void *context)
{
    (void)context;
    const char *name = *(char *const *)in;
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -errno;
    EVP_MD_CTX *state = EVP_MD_CTX_new();
    int error = state ? digest_descriptor(fd, state, out) : -ENOMEM;
    EVP_MD_CTX_free(state);
    close(fd);
    return error;
}

/* ---- finding the files ---- */

static void *must_have(void *memory)
{
    if (!memory) {
        fprintf(stderr, "digest: out of memory\n");
        exit(1);
    }
    return memory;
}

static void add_file(struct files *files, const char *name)
{
    if (files->count == files->capacity) {
        files->capacity = files->capacity ? 2 * files->capacity : 1024;
        files->names = must_have(realloc(files->names, files->capacity * sizeof *files->names));
    }
    files->names[files->count++] = must_have(strdup(name));
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static struct files find_files(char *folder)
{
    struct files files = { 0 };
    FTS *walk = fts_open((char *[]){ folder, NULL }, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
    if (!walk) {
        fprintf(stderr, "digest: %s: %s\n", folder, strerror(errno));
        exit(1);
    }
    for (FTSENT *entry; (entry = fts_read(walk)) != NULL;) {
        if (entry->fts_info == FTS_F) {
            add_file(&files, entry->fts_path);
        } else if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR || entry->fts_info == FTS_NS) {
            fprintf(stderr, "digest: %s: %s\n", entry->fts_path, strerror(entry->fts_errno));
            files.incomplete = true;
        }
    }
    fts_close(walk);
    if (files.count > 0)
        qsort(files.names, files.count, sizeof *files.names, by_bytes);
    return files;
}

static void free_files(struct files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->names[i]);
    free(files->names);
}

/* ---- running ---- */

/* Redraws the bar when it has grown by a percent. */
static void show_progress(size_t done, size_t count, void *arg)
{
    int *shown = arg;
    int percent = (int)(100 * done / count);
    if (percent == *shown)
        return;
    *shown = percent;
    static const char full[] = "##################################################";
    fprintf(stderr, "\r[%-50.*s] %3d %%  %zu of %zu", percent / 2, full, percent, done, count);
}

static struct outcome new_outcome(size_t count)
{
    return (struct outcome){
        .digests = must_have(calloc(count, sizeof(struct digest))),
        .errors = must_have(calloc(count, sizeof(int))),
    };
}

static void free_outcome(struct outcome *outcome)
{
    free(outcome->digests);
    free(outcome->errors);
}

/* Every file on the pool. Fails only when the pool does: a file's own error is in outcome->errors. */
static int run_on_pool(salp_pool *pool, const struct files *files, struct outcome *outcome, bool bar)
{
    int shown = -1;
    for (size_t i = 0; i < files->count; i++)
        outcome->errors[i] = -ECANCELED; /* what is left of this was not run */
    int error = salp_map(pool, digest_file, files->names, sizeof *files->names, outcome->digests,
                         sizeof *outcome->digests, files->count,
                         &(salp_map_options){
                             .errors = outcome->errors,
                             .on_progress = bar ? show_progress : NULL,
                             .on_progress_arg = &shown,
                         });
    if (bar)
        fprintf(stderr, "\r\033[K");
    for (size_t i = 0; i < files->count; i++)
        if (error == outcome->errors[i])
            return 0;
    return error;
}

static void run_in_line(const struct files *files, struct outcome *outcome)
{
    for (size_t i = 0; i < files->count; i++)
        outcome->errors[i] = digest_file(&files->names[i], &outcome->digests[i], NULL);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Both runs find the files in the page cache, since every file was read a moment ago. */
static int compare(salp_pool *pool, const struct files *files, const struct outcome *known, const char *engine)
{
    struct outcome again = new_outcome(files->count), in_line = new_outcome(files->count);
    double start = seconds();
    run_in_line(files, &in_line);
    double line_time = seconds() - start;
    start = seconds();
    int error = run_on_pool(pool, files, &again, false);
    double pool_time = seconds() - start;

    size_t changed = 0;
    for (size_t i = 0; i < files->count; i++)
        changed += known->errors[i] != in_line.errors[i] || known->errors[i] != again.errors[i] ||
                   memcmp(&known->digests[i], &in_line.digests[i], sizeof in_line.digests[i]) != 0 ||
                   memcmp(&known->digests[i], &again.digests[i], sizeof again.digests[i]) != 0;
    if (error == 0) {
        fprintf(stderr, "%zu files, read again from the page cache:\n", files->count);
        fprintf(stderr, "  in line         %8.3f s\n", line_time);
        fprintf(stderr, "  on %2d %-9s %9.3f s, %.2f times as fast\n", salp_pool_workers(pool), engine, pool_time,
                line_time / pool_time);
        if (changed > 0)
            fprintf(stderr, "  (%zu of them were changed meanwhile)\n", changed);
    }
    free_outcome(&again);
    free_outcome(&in_line);
    return error;
}

/* ---- printing ---- */

/* As sha256sum does: a line with an escaped name begins with a backslash. */
static void print_digest(const struct digest *digest, const char *name)
{
    bool escape = strpbrk(name, "\\\n\r") != NULL;
    if (escape)
        putchar('\\');
    for (size_t i = 0; i < sizeof digest->bytes; i++)
        printf("%02x", digest->bytes[i]);
    printf("  ");
    for (const char *c = name; *c; c++) {
        if (*c == '\\')
            printf("\\\\");
        else if (*c == '\n')
            printf("\\n");
        else if (*c == '\r')
            printf("\\r");
        else
            putchar(*c);
    }
    putchar('\n');
}

/* Returns whether every file has its digest. */
static bool print_outcome(const struct files *files, const struct outcome *outcome)
{
    bool complete = true;
    for (size_t i = 0; i < files->count; i++) {
        if (outcome->errors[i] < 0) {
            fprintf(stderr, "digest: %s: %s\n", files->names[i], salp_strerror(outcome->errors[i]));
            complete = false;
        } else {
            print_digest(&outcome->digests[i], files->names[i]);
        }
    }
    return complete;
}

/* ---- the program ---- */

struct options {
    salp_engine engine;
    int workers;
    bool plain;
    char *folder;
};

static void usage(FILE *to)
{
    fprintf(to, "usage: digest [--threads] [--workers N] [--plain] [DIR]\n"
                "Prints the SHA-256 digest of every file below DIR (default: /usr/include).\n"
                "  --threads    run on threads instead of processes\n"
                "  --workers N  with N workers (default: one for each processor it may use)\n"
                "  --plain      print the digests only: no progress bar, no times\n");
}

static struct options read_options(int argc, char **argv)
{
    static const struct option known[] = {
        { "threads", no_argument, NULL, 't' },
        { "workers", required_argument, NULL, 'w' },
        { "plain", no_argument, NULL, 'p' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    struct options options = { .engine = SALP_PROCESSES, .folder = "/usr/include" };
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        char *end = NULL;
        switch (option) {
        case 't':
            options.engine = SALP_THREADS;
            break;
        case 'p':
            options.plain = true;
            break;
        case 'w': {
            long workers = strtol(optarg, &end, 10);
            if (*end != '\0' || workers < 1 || workers > SALP_WORKERS_MAX) {
                fprintf(stderr, "digest: the number of workers is 1 to %d\n", SALP_WORKERS_MAX);
                exit(2);
            }
            options.workers = (int)workers;
            break;
        }
        case 'h':
            usage(stdout);
            exit(0);
        default:
            usage(stderr);
            exit(2);
        }
    }
    if (argc - optind > 1) {
        usage(stderr);
        exit(2);
    }
    if (optind < argc)
        options.folder = argv[optind];
    return options;
}

int main(int argc, char **argv)
{
    struct options options = read_options(argc, argv);
    struct files files = find_files(options.folder);
    if (files.count == 0)
        return files.incomplete ? 1 : 0;

    salp_pool *pool;
    int error = salp_pool_open(&pool, &(salp_pool_options){ .engine = options.engine, .workers = options.workers });
    if (error < 0) {
        fprintf(stderr, "digest: cannot open a pool: %s\n", salp_strerror(error));
        return 1;
    }
    struct outcome outcome = new_outcome(files.count);
    bool complete = false;
    error = run_on_pool(pool, &files, &outcome, !options.plain && isatty(STDERR_FILENO));
    if (error == 0) {
        complete = print_outcome(&files, &outcome);
        fflush(stdout);
        if (!options.plain)
            error = compare(pool, &files, &outcome, options.engine == SALP_THREADS ? "threads" : "processes");
    }
    if (error < 0) {
        const char *reason = salp_pool_reason(pool);
        fprintf(stderr, "digest: %s%s%s\n", salp_strerror(error), *reason ? ": " : "", reason);
    }
    salp_pool_close(pool);
    bool ok = error == 0 && complete && !files.incomplete && !ferror(stdout);
    free_outcome(&outcome);
    free_files(&files);
    return ok ? 0 : 1;
}
