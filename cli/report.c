/*
 * salp report: what the journal of salp map says.
 *
 * SPDX-License-Identifier: MIT
 */
#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <salp/error.h>

#include "cli/cli.h"
#include "cli/report_drawing.h"
#include "job/visible.h"
#include "journal/reader.h"
#include "report/figures.h"
#include "report/json.h"
#include "report/page.h"

enum { FAILURES = 'f', HTML = 'h', JSON = 'j', WIDE = 1000 };

struct wish {
    const char *journal, *page;
    bool failures, json;
};

static error_t on_option(int key, char *argument, struct argp_state *state)
{
    struct wish *wish = state->input;
    switch (key) {
    case FAILURES:
        wish->failures = true;
        return 0;
    case HTML:
        wish->page = argument;
        return 0;
    case JSON:
        wish->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (wish->journal)
            argp_error(state, "it takes one journal, and '%s' is a second one", argument);
        wish->journal = argument;
        return 0;
    case ARGP_KEY_END:
        if (!wish->journal)
            argp_error(state, "no journal is named");
        if (wish->json && (wish->page || wish->failures))
            argp_error(state, "--json goes alone: it has all of it");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int draw(const struct wish *wish, const struct report_figures *figures, struct journal_reader *reader)
{
    struct winsize window = { 0 };
    bool terminal = ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0;
    struct cli_report_style style = {
        .columns = window.ws_col > 0 ? window.ws_col : WIDE,
        /* One for the prompt that comes after it. */
        .lines = wish->failures                  ? 0
                 : terminal && window.ws_row > 1 ? window.ws_row - 1
                                                 : 23,
        .failures = wish->failures,
        .letters = job_letters_new(),
    };
    int error = cli_report_draw(stdout, figures, reader, &style);
    job_letters_free(style.letters);
    return error;
}

static int told(const char *path, int error)
{
    fprintf(stderr, "salp report: cannot write '%s': %s\n", path, salp_strerror(error));
    return error;
}

/* Closes the file. */
static int write_to(FILE *file, const char *path, const struct report_figures *figures, struct journal_reader *reader)
{
    int error = report_page_write(file, figures, reader);
    bool bad = ferror(file);
    int number = errno;
    if (fclose(file) != 0 && !bad) {
        bad = true;
        number = errno;
    }
    return error == 0 && bad ? told(path, number > 0 ? -number : -EIO) : error;
}

/*
 * The page is written beside its place and gets its name when it is whole: what had that name before stays otherwise. What is
 * no regular file (a device, a pipe) is written to as it is.
 */
static int write_beside(const char *path, const struct report_figures *figures, struct journal_reader *reader)
{
    char *beside = NULL;
    if (asprintf(&beside, "%s.%d", path, (int)getpid()) < 0)
        return told(path, -ENOMEM);
    FILE *file = fopen(beside, "wxe");
    int error = file ? write_to(file, path, figures, reader) : told(path, -errno);
    if (error == 0 && rename(beside, path) < 0)
        error = told(path, -errno);
    if (file && error < 0)
        unlink(beside);
    free(beside);
    return error;
}

static int write_page(const char *path, const struct report_figures *figures, struct journal_reader *reader)
{
    struct stat there;
    if (strcmp(path, "-") == 0)
        return report_page_write(stdout, figures, reader);
    if (lstat(path, &there) < 0 || S_ISREG(there.st_mode))
        return write_beside(path, figures, reader);
    FILE *file = fopen(path, "we");
    return file ? write_to(file, path, figures, reader) : told(path, -errno);
}

static int report(const struct wish *wish, struct journal_reader *reader)
{
    struct report_figures figures;
    int error = report_figures_read(&figures, reader, "salp report");
    if (error == 0 && wish->json)
        error = report_json_write(stdout, &figures, reader);
    else if (error == 0 && wish->page)
        error = write_page(wish->page, &figures, reader);
    else if (error == 0)
        error = draw(wish, &figures, reader);
    report_figures_free(&figures);
    return error;
}

int cli_report(int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "failures", FAILURES, NULL, 0, "Show all failures, with the ends of what they have written to standard error",
          0 },
        { "html", HTML, "PAGE", 0,
          "Write a page to this file: timeline, durations, failures, all jobs; '-' is standard output", 0 },
        { "json", JSON, NULL, 0, "Print figures and failures for programs", 0 },
        { 0 },
    };
    static const struct argp argp = {
        .options = options,
        .parser = on_option,
        .args_doc = "JOURNAL",
        .doc =
            "Tells what the journal of salp map says (--journal FILE), also while it is written: counts, times, the"
            " slowest jobs, failures with their causes.\vWithout options it fits the screen. The journal is an SQLite"
            " database: for other questions ask it with SQL.",
    };
    struct wish wish = { 0 };
    struct journal_reader *reader;
    argp_parse(&argp, argc, argv, 0, NULL, &wish);
    if (journal_reader_open(&reader, wish.journal, "salp report") < 0)
        return CLI_FAILED;
    int error = report(&wish, reader);
    journal_reader_close(reader);
    return error == 0 ? CLI_DONE : CLI_FAILED;
}
