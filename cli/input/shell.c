/* Which shell runs the lines of jobs, if one does. SPDX-License-Identifier: MIT */
#include "input/shell.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "input/message.h"
#include "input/text.h"

static const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Does it read quotes as Bourne's shell does? */
static bool is_known_shell(const char *path)
{
    static const char *const known[] = {
        "sh", "bash", "dash", "zsh", "ksh", "ksh93", "mksh", "ash", "yash", "busybox"
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(last_name(path), known[i]) == 0)
            return true;
    }
    return false;
}

static bool is_foreign_shell(const char *path)
{
    const char *name = last_name(path);
    return strcmp(name, "fish") == 0 || strcmp(name, "csh") == 0 || strcmp(name, "tcsh") == 0;
}

bool input_shell_has(const char *word)
{
    char name[256];
    int size = snprintf(name, sizeof name, "BASH_FUNC_%s%%%%", word);
    return size > 0 && (size_t)size < sizeof name && getenv(name);
}

int input_shell_choose(const struct template_options *options, const char **path)
{
    if (options->word_count > 0 && input_shell_has(options->words[0])) {
        *path = "/bin/bash";
        return 0;
    }
    const char *shell = options->shell;
    if (!shell)
        shell = getenv("PARALLEL_SHELL");
    if (shell && *shell) {
        *path = shell;
        return is_foreign_shell(shell)
                   ? input_tell(-EINVAL, "%s reads quotes in its own way; a shell like sh is needed", shell)
                   : 0;
    }
    shell = getenv("SHELL");
    *path = (shell && is_known_shell(shell)) ? shell : "/bin/sh";
    return 0;
}

int input_shell_needed(const struct template_options *options, struct template_edits *edits, bool *needed)
{
    *needed = options->always_shell || options->word_count == 0;
    if (options->word_count != 1 || options->quote || *needed)
        return 0;
    struct template_text text;
    int error = template_text_parse(&text, options->words[0], options, edits);
    for (int i = 0; error == 0 && i < text.count; i++) {
        const struct template_piece *piece = &text.pieces[i];
        *needed |= piece->kind == TEMPLATE_LITERAL && template_means_something(piece->text, piece->size);
    }
    template_text_free(&text);
    return error;
}
