/* What GNU parallel has and salp map has not. SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <string.h>

#include "map/option_list.h"

static const struct {
    const char *names; /* with a blank before and behind each */
    const char *why;
} groups[] = {
    { " S sshlogin sshloginfile slf ssh ssh-delay sshdelay M controlmaster transfer transferfile tf trc return cleanup "
      "basefile bf "
      "onall nonall hostgroups hgrp filter-hosts rsync-opts env-all record-env session ",
      "other machines are not supported" },
    { " semaphore semaphore-name semaphorename id semaphore-timeout semaphoretimeout st fg bg wait ",
      "semaphores are not supported; flock(1) is one for scripts" },
    { " sql sql-master sqlmaster sql-worker sqlworker sql-and-worker sqlandworker ",
      "databases are not supported; --journal FILE keeps an SQLite file" },
    { " group-by groupby shard bin block-timeout bt ", "of --pipe there are only blocks that go to one job each" },
    { " rpl parens U filter ", "expressions in Perl are not supported" },
    { " tmux tmuxpane ", "jobs have no terminals of their own" },
    { " tty o open-tty ", "jobs cannot read the terminal" },
    { " latest-line latestline ll ", "not supported; --line-buffer shows each line when it is whole" },
    { " memsuspend noswap limit ", "not supported; see --memfree, --load and --memory-limit" },
    { " number-of-cpus number-of-cores number-of-sockets number-of-threads ", "see 'salp machine'" },
    { " max-line-length-allowed show-limits ", "not supported; the system tells by 'getconf ARG_MAX'" },
    { " profile J ", "profiles are not supported: an alias of the shell can keep options" },
    { " shebang hashbang shebang-wrap embed shell-completion template tmpl _parset ", "not supported" },
    { " skip-first-line ", "not supported; see --header" },
    { " total-jobs total ", "not supported: the jobs are counted while they run" },
    { " minversion tollef ", "that asks for a GNU parallel" },
};

const char *map_option_refusal(const char *name)
{
    char padded[64];
    size_t length = strlen(name);
    if (length == 0 || length > sizeof padded - 3)
        return NULL;
    padded[0] = padded[length + 1] = ' ';
    memcpy(padded + 1, name, length);
    padded[length + 2] = '\0';
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        if (strstr(groups[i].names, padded))
            return groups[i].why;
    }
    return NULL;
}
