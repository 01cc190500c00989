/*
 * A template is a list of texts (text.c). Run without a shell, each is an argument, or several: {} alone stands for as many as
 * there are values. Run by the shell, they are joined to one line, each value quoted as its place needs it (scan.c); there is one
 * text, or with -X one for each word.
 *
 * Words in which nothing is replaced are not copied for each job.
 *
 * SPDX-License-Identifier: MIT
 */
#include "input/template.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "input/message.h"
#include "input/scan.h"
#include "input/shell.h"
#include "input/text.h"
#include "job/memory.h"

enum { ARGUMENT_MAX = 128 << 10 }; /* bytes of one argument with its zero: Linux's MAX_ARG_STRLEN */

struct input_template {
    struct template_options options;
    uint64_t jobs; /* of all; 0: not known */
    bool shell;
    const char *shell_path;
    char *source; /* the line that the texts of a shell were made of; NULL: they stand in the options */
    struct word {
        struct template_text text;
        /* It is there once for each value, with that value for {}: as so many arguments, or with blanks in between. */
        bool repeated;
    } * words;
    int word_count;
    struct template_text tag;
    bool has_tag;
    struct template_edits edits;
    struct job_memory *scratch; /* for what is measured; NULL: there are no edits */
    size_t room;                /* bytes of arguments that execve takes */
};

/* ---- opening ---- */

static const char all_values[] = "{}";

static struct word *new_word(struct input_template *template)
{
    struct word *words = realloc(template->words, ((size_t) template->word_count + 1) * sizeof *words);
    if (!words)
        return NULL;
    template->words = words;
    words[template->word_count] = (struct word){ 0 };
    return &words[template->word_count++];
}

/* One text more, of these bytes. {} is what is put at the end, whatever the user calls it. */
static int add_text(struct input_template *template, const char *from, const struct template_options *options)
{
    struct word *word = new_word(template);
    return word ? template_text_parse(&word->text, from, options, &template->edits) : -ENOMEM;
}

/* Is a value put in somewhere? Then nothing is appended. */
static bool has_replacement(const struct input_template *template)
{
    for (int i = 0; i < template->word_count; i++) {
        const struct template_text *text = &template->words[i].text;
        for (int k = 0; k < text->count; k++) {
            if (text->pieces[k].kind != TEMPLATE_LITERAL)
                return true;
        }
    }
    return false;
}

/* The words, each an argument. */
static int make_arguments(struct input_template *template)
{
    static const struct template_options plain;
    const struct template_options *options = &template->options;
    int error = 0;
    for (int i = 0; i < options->word_count && error == 0; i++)
        error = add_text(template, options->words[i], options);
    if (error == 0 && !options->no_append && !has_replacement(template))
        error = add_text(template, all_values, &plain);
    return error;
}

/* A word with quotes around all that is not replaced. */
static int write_quoted(struct input_template *template, const char *word, FILE *to)
{
    struct template_text text;
    int error = template_text_parse(&text, word, &template->options, &template->edits);
    for (int i = 0; error == 0 && i < text.count; i++) {
        const struct template_piece *piece = &text.pieces[i];
        enum template_quotes quotes = piece->kind == TEMPLATE_LITERAL ? TEMPLATE_UNQUOTED : TEMPLATE_RAW;
        size_t size = template_quoted_size(piece->text, piece->size, quotes);
        char *quoted = malloc(size);
        if (quoted) {
            template_quote_to(quoted, piece->text, piece->size, quotes);
            fwrite(quoted, 1, size, to);
        } else {
            error = -ENOMEM;
        }
        free(quoted);
    }
    if (*word == '\0')
        fputs("''", to);
    template_text_free(&text);
    return error;
}

/* The words as one line. */
static int join_words(struct input_template *template)
{
    const struct template_options *options = &template->options;
    size_t size;
    int error = 0;
    FILE *to = open_memstream(&template->source, &size);
    if (!to)
        return -ENOMEM;
    for (int i = 0; i < options->word_count && error == 0; i++) {
        if (i > 0)
            fputc(' ', to);
        if (options->quote)
            error = write_quoted(template, options->words[i], to);
        else
            fputs(options->words[i], to);
    }
    return fclose(to) == 0 ? error : -ENOMEM;
}

/* With -X each word is a text of its own, and so is what stands between them. */
static int split_words(struct input_template *template)
{
    struct template_text line = template->words[0].text;
    template->word_count = 0;
    int error = 0, next;
    for (int first = 0; first < line.count && error == 0; first = next) {
        for (next = first + 1; next < line.count && line.pieces[next].blank == line.pieces[first].blank;)
            next++;
        struct word *word = new_word(template);
        error = word ? template_text_slice(&word->text, &line, first, next) : -ENOMEM;
    }
    template_text_free(&line);
    return error;
}

/* The line for a shell. */
static int make_line(struct input_template *template)
{
    static const struct template_options plain;
    const struct template_options *options = &template->options;
    int error = join_words(template);
    if (error == 0)
        error = add_text(template, template->source, options);
    if (error == 0 && options->word_count == 0) {
        /* The values are lines themselves, not words. */
        template_text_free(&template->words[0].text);
        return template_text_parse(&template->words[0].text, all_values, &plain, &template->edits);
    }
    bool append = error == 0 && !options->no_append && !has_replacement(template);
    if (append) {
        char *longer = NULL;
        if (asprintf(&longer, "%s %s", template->source, options->replace ? options->replace : all_values) < 0)
            return -ENOMEM;
        free(template->source);
        template->source = longer;
        template_text_free(&template->words[0].text);
        error = template_text_parse(&template->words[0].text, longer, options, &template->edits);
    }
    if (error == 0)
        error = template_scan(&template->words[0].text, options->context);
    return error == 0 && options->context ? split_words(template) : error;
}

static bool wants_total(const struct template_text *text)
{
    for (int i = 0; i < text->count; i++) {
        const struct template_piece *piece = &text->pieces[i];
        if (piece->kind == TEMPLATE_TOTAL || (piece->kind == TEMPLATE_NUMBER && piece->zeros))
            return true;
    }
    return false;
}

/* Every {N} has to be there, if it is known how many values there are. */
static int check_indexes(const struct input_template *template, const struct template_text *text)
{
    int width = template->options.width;
    for (int i = 0; i < text->count && width > 0; i++) {
        const struct template_piece *piece = &text->pieces[i];
        if (piece->kind == TEMPLATE_VALUE && abs(piece->index) > width)
            return input_tell(-EINVAL, "%.*s: a job has no more than %d value%s", (int)piece->size, piece->text, width,
                              width == 1 ? "" : "s");
    }
    return 0;
}

/* Bytes that execve takes for arguments: the environment needs some of them, and it is careful. */
static size_t argument_room(void)
{
    extern char **environ;
    size_t all = (size_t)sysconf(_SC_ARG_MAX), used = 4096;
    for (char **variable = environ; *variable; variable++)
        used += strlen(*variable) + 1 + sizeof *variable;
    return all > used ? all - used : 0;
}

static int make_texts(struct input_template *template)
{
    struct template_options *options = &template->options;
    if (options->word_count > 0 && !options->always_shell && input_shell_has(options->words[0]))
        options->always_shell = options->quote = true; /* its words are words, as those of a program */
    int error = input_shell_needed(options, &template->edits, &template->shell);
    if (error == 0 && template->shell)
        error = input_shell_choose(options, &template->shell_path);
    if (error == 0)
        error = template->shell ? make_line(template) : make_arguments(template);
    for (int i = 0; i < template->word_count && error == 0; i++) {
        struct word *word = &template->words[i];
        bool alone = !template->shell && word->text.count == 1;
        word->repeated = (options->context || alone) && template_text_has(&word->text, TEMPLATE_VALUES);
        error = check_indexes(template, &word->text);
    }
    if (error == 0 && options->tag) {
        error = template_text_parse(&template->tag, options->tag, options, &template->edits);
        template->has_tag = error == 0;
    }
    return error == 0 && template->has_tag ? check_indexes(template, &template->tag) : error;
}

int template_open(struct input_template **opened, const struct template_options *options)
{
    *opened = NULL;
    struct input_template *template = calloc(1, sizeof *template);
    if (!template)
        return input_tell_error(-ENOMEM, "the command");
    template->options = *options;
    template->room = options->unlimited ? SIZE_MAX : argument_room();
    int error = make_texts(template);
    if (error == 0 && template->edits.count > 0) {
        template->scratch = job_memory_new();
        error = template->scratch ? 0 : -ENOMEM;
    }
    if (error == 0) {
        *opened = template;
        return 0;
    }
    template_close(template);
    return error == -ENOMEM ? input_tell_error(error, "the command") : error;
}

void template_close(struct input_template *template)
{
    if (!template)
        return;
    for (int i = 0; i < template->word_count; i++)
        template_text_free(&template->words[i].text);
    template_text_free(&template->tag);
    template_edits_free(&template->edits);
    job_memory_free(template->scratch);
    free(template->words);
    free(template->source);
    free(template);
}

/* ---- a job ---- */

static int given_of(const struct input_template *template, const struct template_edits *edits, const struct job *job,
                    struct template_given *given)
{
    bool none = template->options.no_values, named = job->block_name != NULL;
    *given = (struct template_given){
        .values = named ? &job->block_name : job->values,
        .value_count = none    ? 0
                       : named ? 1
                               : job->value_count,
        .only = -1,
        .number = job->number,
        .slot = job->slot > 0 ? job->slot : 0,
        .jobs = template->jobs,
        .slots = template->options.slots,
    };
    return template_edits_apply(edits, given->values, given->value_count, job->memory, &given->edited);
}

/* How many times a word is there; the value of the k-th is given->only = k. */
static int times(const struct word *word, const struct template_given *given)
{
    return word->repeated ? given->value_count : 1;
}

static int tell_too_long(const struct job *job, size_t size, size_t limit)
{
    return input_tell(-E2BIG, "job %llu: %zu bytes of arguments are more than the system takes (%zu)",
                      (unsigned long long)job->number, size, limit);
}

/* Where a job has several values, as many were chosen as fit. One alone may be too long. */
static int check_length(const struct input_template *template, const struct job *job, size_t size)
{
    size_t most = template->options.max_chars;
    if (most == 0 || size <= most)
        return 0;
    return input_tell(-E2BIG, "job %llu: a command of %zu bytes is longer than -s %zu", (unsigned long long)job->number,
                      size, most);
}

/* In arithmetic of the shell nothing stands that it would evaluate. */
static int check_bare(const struct input_template *template, const struct job *job, const struct template_given *given)
{
    for (int i = 0; i < template->word_count; i++) {
        const struct template_text *text = &template->words[i].text;
        for (int k = 0; k < text->count; k++) {
            const struct template_piece *piece = &text->pieces[k];
            if (piece->quotes == TEMPLATE_BARE && !template_piece_is_harmless(piece, given))
                return input_tell(-EINVAL, "job %llu: a value that is no number stands in arithmetic of the shell",
                                  (unsigned long long)job->number);
        }
    }
    return 0;
}

/* The line for a shell, and for people. */
static int fill_line(const struct input_template *template, struct job *job, struct template_given *given)
{
    size_t size = 1;
    for (int i = 0; i < template->word_count; i++) {
        const struct word *word = &template->words[i];
        int count = times(word, given);
        for (int k = 0; k < count; k++) {
            given->only = word->repeated ? k : -1;
            size += template_text_size(&word->text, given) + (k > 0);
        }
    }
    if (size > ARGUMENT_MAX && !template->options.unlimited)
        return tell_too_long(job, size, ARGUMENT_MAX);
    char *line = job_memory_take(job->memory, size), *to = line;
    const char **argv = job_memory_take(job->memory, 4 * sizeof *argv);
    if (!line || !argv)
        return -ENOMEM;
    for (int i = 0; i < template->word_count; i++) {
        const struct word *word = &template->words[i];
        int count = times(word, given);
        for (int k = 0; k < count; k++) {
            if (k > 0)
                *to++ = ' ';
            given->only = word->repeated ? k : -1;
            to = template_text_write(to, &word->text, given);
        }
    }
    *to = '\0';
    argv[0] = template->shell_path;
    argv[1] = "-c";
    argv[2] = line;
    argv[3] = NULL;
    job->argv = argv;
    job->line = line;
    int error = check_length(template, job, (size_t)(to - line));
    return error < 0 ? error : check_bare(template, job, given);
}

/* One argument. A word in which nothing is replaced is the user's own, and a whole value the job's own. NULL: no memory. */
static const char *make_argument(const struct word *word, struct job *job, const struct template_given *given,
                                 size_t *size)
{
    const struct template_piece *piece = word->text.pieces;
    const char *ready = NULL;
    if (word->text.count == 0)
        ready = "";
    else if (word->text.count == 1 && piece->kind == TEMPLATE_LITERAL)
        ready = piece->text;
    else if (word->text.count == 1 && given->only >= 0 && piece->part == TEMPLATE_ALL && piece->edit == 0)
        ready = given->values[given->only];
    if (ready) {
        *size = strlen(ready);
        return ready;
    }
    *size = template_text_size(&word->text, given);
    char *argument = job_memory_take(job->memory, *size + 1);
    if (argument)
        *template_text_write(argument, &word->text, given) = '\0';
    return argument;
}

/* The arguments as a line for people. NULL: no memory. */
static const char *line_of(const char *const *argv, size_t count, struct job *job)
{
    size_t size = 1;
    for (size_t i = 0; i < count; i++)
        size += template_quoted_size(argv[i], strlen(argv[i]), TEMPLATE_UNQUOTED) + (i > 0);
    char *line = job_memory_take(job->memory, size), *to = line;
    if (!line)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            *to++ = ' ';
        to = template_quote_to(to, argv[i], strlen(argv[i]), TEMPLATE_UNQUOTED);
    }
    *to = '\0';
    return line;
}

static int fill_arguments(const struct input_template *template, struct job *job, struct template_given *given)
{
    size_t count = 0, all = 0;
    for (int i = 0; i < template->word_count; i++)
        count += (size_t)times(&template->words[i], given);
    const char **argv = job_memory_take(job->memory, (count + 1) * sizeof *argv);
    if (!argv)
        return -ENOMEM;
    size_t next = 0, chars = 0;
    for (int i = 0; i < template->word_count; i++) {
        const struct word *word = &template->words[i];
        int repetitions = times(word, given);
        for (int k = 0; k < repetitions; k++) {
            size_t size;
            given->only = word->repeated ? k : -1;
            argv[next] = make_argument(word, job, given, &size);
            if (!argv[next++])
                return -ENOMEM;
            if (size >= ARGUMENT_MAX && !template->options.unlimited)
                return tell_too_long(job, size, ARGUMENT_MAX - 1);
            all += size + 1 + sizeof *argv;
            chars += size + (next > 1);
        }
    }
    if (all > template->room)
        return tell_too_long(job, all, template->room);
    argv[count] = NULL;
    job->argv = argv;
    job->line = line_of(argv, count, job);
    return job->line ? check_length(template, job, chars) : -ENOMEM;
}

static int name_block(const struct input_template *template, struct job *job)
{
    enum { DIGITS = 20 };
    const char *folder = template->options.blocks;
    size_t size = strlen(folder) + DIGITS + 2;
    char *name = job_memory_take(job->memory, size);
    if (!name)
        return -ENOMEM;
    snprintf(name, size, "%s/%llu", folder, (unsigned long long)job->number);
    job->block_name = name;
    return 0;
}

int template_fill(const struct input_template *template, struct job *job)
{
    if (template->options.blocks && name_block(template, job) < 0)
        return -ENOMEM;
    struct template_given given;
    int error = given_of(template, &template->edits, job, &given);
    if (error == 0)
        error = template->shell ? fill_line(template, job, &given) : fill_arguments(template, job, &given);
    if (error < 0 || !template->has_tag)
        return error;
    given.only = -1;
    char *tag = job_memory_take(job->memory, template_text_size(&template->tag, &given) + 1);
    if (!tag)
        return -ENOMEM;
    *template_text_write(tag, &template->tag, &given) = '\0';
    job->tag = tag;
    return 0;
}

const char *template_expand(const struct input_template *template, const char *text, struct job *job)
{
    struct template_given given;
    struct template_text parsed;
    struct template_edits edits = { 0 };
    char *expanded = NULL;
    int error = template_text_parse(&parsed, text, &template->options, &edits);
    if (error == 0)
        error = given_of(template, &edits, job, &given);
    if (error == 0)
        expanded = job_memory_take(job->memory, template_text_size(&parsed, &given) + 1);
    if (expanded)
        *template_text_write(expanded, &parsed, &given) = '\0';
    template_text_free(&parsed);
    template_edits_free(&edits);
    return expanded;
}

bool template_leaves_out(const struct input_template *template, const struct job *job)
{
    for (int i = 0; i < template->word_count; i++) {
        if (template_text_leaves_out(&template->words[i].text, job->values, job->value_count))
            return true;
    }
    return template->has_tag && template_text_leaves_out(&template->tag, job->values, job->value_count);
}

/* ---- about it ---- */

bool template_uses_shell(const struct input_template *template)
{
    return template->shell;
}

bool template_wants_total(const struct input_template *template)
{
    for (int i = 0; i < template->word_count; i++) {
        if (wants_total(&template->words[i].text))
            return true;
    }
    return template->has_tag && wants_total(&template->tag);
}

void template_set_total(struct input_template *template, uint64_t jobs)
{
    template->jobs = jobs;
}

/* A value may be put in at every place that one can be put in, whatever its index: never less than it will be. */
size_t template_measure(const char *value, void *arg)
{
    const struct input_template *template = arg;
    struct template_given given = {
        .values = &value,
        .value_count = value != NULL,
        .only = -1,
        .number = UINT64_MAX,
        .slot = INT_MAX,
        .jobs = UINT64_MAX,
        .slots = INT_MAX,
    };
    size_t size = 0;
    if (template->scratch)
        job_memory_clear(template->scratch);
    if (template_edits_apply(&template->edits, given.values, given.value_count, template->scratch, &given.edited) < 0)
        return ARGUMENT_MAX; /* no other value fits beside it; whether it does itself is seen when it is put in */
    for (int i = 0; i < template->word_count; i++) {
        const struct word *word = &template->words[i];
        for (int k = 0; k < word->text.count; k++) {
            struct template_piece piece = word->text.pieces[k];
            bool takes_value = piece.kind == TEMPLATE_VALUE || piece.kind == TEMPLATE_VALUES;
            if (takes_value)
                piece.kind = TEMPLATE_VALUES;
            if (takes_value == (value != NULL) || (value && word->repeated))
                size += template_piece_size(&piece, &given) + (takes_value || k == 0);
        }
    }
    return size;
}
