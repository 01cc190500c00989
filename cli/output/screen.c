/* One task at a time writes. SPDX-License-Identifier: MIT */
#include "output/screen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <salp/error.h>

int output_screen_open(struct output_screen *screen, struct output_store *store, const struct output_options *options)
{
    *screen = (struct output_screen){ .store = store, .options = options };
    int error = salp_mutex_open(&screen->mutex, NULL);
    if (error < 0)
        return error;
    for (int i = 0; i < 2 && error == 0; i++)
        error = output_sink_open(&screen->sinks[i], i + 1);
    if (error < 0)
        output_screen_close(screen);
    return error;
}

int output_screen_open_table(struct output_screen *screen, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return output_screen_fail(screen, path, -errno);
    return output_sink_open(&screen->sinks[2], fd);
}

void output_screen_close(struct output_screen *screen)
{
    int table = screen->sinks[2].open ? screen->sinks[2].fd : -1;
    for (int i = 0; i < 3; i++) {
        output_sink_close(&screen->sinks[i]);
        free(screen->rests[i].bytes);
        screen->rests[i] = (struct output_rest){ 0 };
    }
    if (table >= 0)
        close(table);
    salp_mutex_close(screen->mutex);
    screen->mutex = NULL;
}

static void give_way(const struct output_screen *screen)
{
    if (screen->options->gives_way)
        screen->options->gives_way(screen->options->arg);
}

static void come_back(const struct output_screen *screen)
{
    if (screen->options->comes_back)
        screen->options->comes_back(screen->options->arg);
}

int output_screen_take(struct output_screen *screen)
{
    int error = salp_mutex_lock(screen->mutex);
    if (error == 0)
        give_way(screen);
    return error;
}

void output_screen_give(struct output_screen *screen)
{
    come_back(screen);
    salp_mutex_unlock(screen->mutex);
}

/* ---- errors ---- */

void output_screen_tell(struct output_screen *screen, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    give_way(screen);
    fputs("salp map: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    come_back(screen);
    va_end(arguments);
}

int output_screen_fail(struct output_screen *screen, const char *what, int error)
{
    if (screen->error < 0)
        return screen->error;
    screen->error = error;
    /* That nobody reads any more is what `| head` is for, and a scope is ended by somebody who knows why. */
    if (error != -EPIPE && error != -ECANCELED && error != -ETIMEDOUT)
        output_screen_tell(screen, "%s: %s", what, salp_strerror(error));
    return error;
}

/* ---- writing ---- */

static const char *const names[] = { "standard output", "standard error", "--results" };

/* What could not be written: an error of the screen, unless it is of the scope. */
static int note_error(struct output_screen *screen, int which, int error)
{
    return error == 0 || output_is_of_scope(error) ? error : output_screen_fail(screen, names[which], error);
}

/* 0: there is nothing left of what a scope has cut off. */
static int write_rest(struct output_screen *screen, int which)
{
    struct output_rest *rest = &screen->rests[which];
    size_t written;
    if (screen->error < 0 || rest->size == 0)
        return screen->error;
    int error = output_sink_write(&screen->sinks[which], rest->bytes, rest->size, &written);
    rest->size -= written;
    memmove(rest->bytes, rest->bytes + written, rest->size);
    return note_error(screen, which, error);
}

/* There is none so far. */
static int keep_rest(struct output_screen *screen, int which, const char *bytes, size_t size)
{
    struct output_rest *rest = &screen->rests[which];
    char *kept = realloc(rest->bytes, size);
    if (!kept)
        return output_screen_fail(screen, names[which], -ENOMEM);
    memcpy(kept, bytes, size);
    *rest = (struct output_rest){ kept, size };
    return 0;
}

int output_screen_flush(struct output_screen *screen)
{
    const struct output_rest *rests = screen->rests;
    if (screen->error < 0 || rests[0].size + rests[1].size + rests[2].size == 0)
        return screen->error;
    int error = output_screen_take(screen);
    if (error < 0)
        return error;
    for (int i = 0; i < 3 && error == 0; i++)
        error = write_rest(screen, i);
    output_screen_give(screen);
    return error;
}

int64_t output_screen_splice(struct output_screen *screen, int which, int pipe, size_t size)
{
    int error = write_rest(screen, which);
    if (error < 0)
        return error;
    int64_t moved = output_sink_splice(&screen->sinks[which], pipe, size);
    return moved >= 0 || moved == -EAGAIN || moved == -ENOTSUP ? moved : note_error(screen, which, (int)moved);
}

int output_screen_write(struct output_screen *screen, int which, const void *bytes, size_t size)
{
    size_t written;
    int error = write_rest(screen, which);
    if (error < 0)
        return error;
    error = output_sink_write(&screen->sinks[which], bytes, size, &written);
    if (output_is_of_scope(error) && written > 0)
        return keep_rest(screen, which, (const char *)bytes + written, size - written);
    return note_error(screen, which, error);
}

/* Puts as many of the bytes as there is room for behind tags. Returns how many of them were taken. */
static size_t put_tags(struct output_piece *page, const char *bytes, size_t size, const char *tag, size_t tag_size,
                       bool *in_line)
{
    size_t taken = 0;
    while (taken < size) {
        size_t need = *in_line ? 1 : tag_size + 1;
        if (page->room - page->size < need)
            break;
        if (!*in_line) {
            memcpy(page->bytes + page->size, tag, tag_size);
            page->size += tag_size;
        }
        size_t room = page->room - page->size, left = size - taken;
        const char *from = bytes + taken;
        const char *newline = memchr(from, '\n', left < room ? left : room);
        size_t part = newline ? (size_t)(newline - from) + 1 : left < room ? left : room;
        memcpy(page->bytes + page->size, from, part);
        page->size += part;
        taken += part;
        *in_line = !newline;
    }
    return taken;
}

/* *taken: so many of the bytes are written, or need not be any more. */
static int write_tagged(struct output_screen *screen, int which, const char *bytes, size_t size, const char *tag,
                        bool *in_line, size_t *taken)
{
    size_t tag_size = strlen(tag);
    struct output_piece *page = tag_size < OUTPUT_BLOCK ? output_store_block(screen->store)
                                                        : output_store_small(screen->store, tag_size + OUTPUT_BLOCK);
    int error = page ? 0 : output_screen_fail(screen, "lines with tags", -ENOMEM);
    *taken = 0;
    while (*taken < size && error == 0) {
        bool before = *in_line;
        size_t part = put_tags(page, bytes + *taken, size - *taken, tag, tag_size, in_line);
        error = output_screen_write(screen, which, page->bytes, page->size);
        page->size = 0;
        if (output_is_of_scope(error))
            *in_line = before;
        else
            *taken += part;
    }
    if (page)
        output_store_drop(screen->store, page);
    return error;
}

/* Moves bytes of a text that begins with a pipe. Returns how many, 0: they have to be read; or an error. */
static int64_t move(struct output_screen *screen, int which, struct output_text *text, uint64_t size)
{
    if (!screen->sinks[which].splices || text->first->in == 0)
        return 0;
    size_t there = text->first->size - text->first->begin;
    int64_t moved = output_screen_splice(screen, which, text->first->in, there < size ? there : (size_t)size);
    if (moved > 0)
        output_text_take(text, screen->store, (uint64_t)moved);
    return moved == -ENOTSUP ? 0 : moved == -EAGAIN ? output_screen_fail(screen, names[which], -EAGAIN) : moved;
}

static int show(struct output_screen *screen, int which, struct output_text *text, uint64_t size, const char *tag,
                bool *in_line)
{
    int error = screen->error;
    while (size > 0 && error == 0) {
        const char *bytes;
        int64_t moved = tag ? 0 : move(screen, which, text, size);
        if (moved != 0) {
            size -= moved > 0 ? (uint64_t)moved : 0;
            error = moved < 0 ? (int)moved : 0;
            continue;
        }
        int64_t there = output_text_peek(text, screen->store, &bytes);
        if (there < 0)
            return output_screen_fail(screen, "output that was put aside", (int)there);
        if ((uint64_t)there > size)
            there = (int64_t)size;
        size_t taken = (size_t)there;
        error = tag ? write_tagged(screen, which, bytes, taken, tag, in_line, &taken)
                    : output_screen_write(screen, which, bytes, taken);
        if (output_is_of_scope(error) && !tag)
            taken = 0;
        output_text_take(text, screen->store, taken);
        size -= taken;
    }
    if (screen->error < 0 || error == 0)
        output_text_take(text, screen->store, size);
    return error;
}

int output_screen_show(struct output_screen *screen, int which, struct output_text *text, uint64_t size,
                       const char *tag, bool *in_line)
{
    text->pinned = true;
    int error = show(screen, which, text, size, tag, in_line);
    text->pinned = false;
    return error;
}
