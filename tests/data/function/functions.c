/*
 * Functions for salp map --function. What an input is tells what becomes of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <salp.h>

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A note for the test, in the file that the environment names: what each call was for, in one write. */
static void note(const char *what, salp_bytes in)
{
    char text[256];
    const char *path = getenv("NOTES");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (!file)
        return;
    setvbuf(file, text, _IOFBF, sizeof text);
    fprintf(file, "%s %.*s\n", what, (int)in.size, (const char *)in.data);
    fclose(file);
}

static salp_bytes no_bytes;

__attribute__((constructor)) static void loaded(void)
{
    note("loaded", no_bytes);
    const char *way = getenv("ON_LOAD");
    if (way && strcmp(way, "exit") == 0)
        exit(0);
    if (way && strcmp(way, "_exit") == 0)
        _exit(0);
    if (way && strcmp(way, "abort") == 0)
        abort();
}

static int answer(salp_buffer *out, const char *text)
{
    return salp_buffer_append(out, text, strlen(text));
}

/* The line in capital letters. */
int upper(salp_bytes in, salp_buffer *out, void *context)
{
    (void)context;
    const char *text = in.data;
    int error = salp_buffer_reserve(out, in.size + 1);
    if (error < 0)
        return error;
    char *to = (char *)out->data + out->size;
    for (size_t i = 0; i < in.size; i++)
        to[i] = (char)toupper((unsigned char)text[i]);
    to[in.size] = '\n';
    out->size += in.size + 1;
    return 0;
}

/* The input and nothing else. */
int same(salp_bytes in, salp_buffer *out, void *context)
{
    (void)context;
    return salp_buffer_append(out, in.data, in.size);
}

/* Needs the library of mathematics. */
int root(salp_bytes in, salp_buffer *out, void *context)
{
    (void)context;
    char text[64];
    snprintf(text, sizeof text, "%g\n", sqrt(strtod(in.data, NULL)));
    return answer(out, text);
}

static void crash(void)
{
    *(volatile int *)0 = 1;
}

/* Crashes on "crash", leaves on "exit", hangs on "hang", aborts on "abort"; else the line. Notes where "hang" hangs. */
int fragile(salp_bytes in, salp_buffer *out, void *context)
{
    char process[32];
    note("ran", in);
    if (strcmp(in.data, "hang") == 0)
        note("process", (salp_bytes){ process, (size_t)snprintf(process, sizeof process, "%d", (int)getpid()) });
    if (strcmp(in.data, "crash") == 0)
        crash();
    if (strcmp(in.data, "abort") == 0)
        abort();
    if (strcmp(in.data, "exit") == 0)
        exit(3);
    while (strcmp(in.data, "hang") == 0)
        pause();
    return upper(in, out, context);
}

/* Its result is the number that the line is. */
int result(salp_bytes in, salp_buffer *out, void *context)
{
    (void)context;
    note("ran", in);
    int error = upper(in, out, context);
    return error < 0 ? error : (int)strtol(in.data, NULL, 10);
}

/* Fails as long as it was called less often than the line says, for this line. */
int stubborn(salp_bytes in, salp_buffer *out, void *context)
{
    char line[256], wanted[256];
    int calls = 0;
    note("ran", in);
    snprintf(wanted, sizeof wanted, "ran %s\n", (const char *)in.data);
    FILE *file = fopen(getenv("NOTES"), "r");
    while (file && fgets(line, sizeof line, file))
        calls += strcmp(line, wanted) == 0;
    if (file)
        fclose(file);
    answer(out, "tried ");
    if (calls < atoi(in.data))
        return 1;
    return upper(in, out, context);
}

/* As many bytes as the line says. */
int many(salp_bytes in, salp_buffer *out, void *context)
{
    (void)context;
    size_t size = strtoul(in.data, NULL, 10);
    int error = salp_buffer_reserve(out, size + 1);
    if (error < 0)
        return error;
    memset((char *)out->data + out->size, 'a' + (int)(size % 26), size);
    ((char *)out->data)[out->size + size] = '\n';
    out->size += size + 1;
    return 0;
}

/* Prints what should not get among the answers, and reads what is not there. */
int chatty(salp_bytes in, salp_buffer *out, void *context)
{
    printf("about %s\n", (const char *)in.data);
    if (getchar() != EOF)
        return 1;
    return upper(in, out, context);
}

/* Takes so much memory; much of it for ever. */
int hungry(salp_bytes in, salp_buffer *out, void *context)
{
    (void)context;
    size_t size = strtoul(in.data, NULL, 10);
    char *memory = malloc(size + 1);
    if (!memory)
        return -1;
    memset(memory, 1, size + 1);
    while (size > 100 << 20)
        pause();
    int error = salp_buffer_append(out, memory[size] ? "fed\n" : "", 4);
    free(memory);
    return error;
}

/* Writes to its input. */
int rude(salp_bytes in, salp_buffer *out, void *context)
{
    *(char *)(uintptr_t)in.data = 'x';
    return upper(in, out, context);
}

/* The number of bytes and of lines. */
int count(salp_bytes in, salp_buffer *out, void *context)
{
    (void)context;
    char text[64];
    size_t lines = 0;
    const char *bytes = in.data;
    for (size_t i = 0; i < in.size; i++)
        lines += bytes[i] == '\n';
    snprintf(text, sizeof text, "%zu %zu\n", in.size, lines);
    return answer(out, text);
}

int variable = 1;
_Thread_local int own_variable = 1;
