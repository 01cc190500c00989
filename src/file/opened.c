/* Open files; the header tells. SPDX-License-Identifier: MIT */
#include "file/opened.h"

#include <errno.h>

#include "os/disk.h"
#include "os/memory.h"
#include "sync/line.h"

salp_file *salp__opened_new(void)
{
    salp_file *file = salp__allocate(sizeof *file);
    if (!file)
        return NULL;
    salp__list_open(&file->line);
    file->holds = 1;
    return file;
}

void salp__opened_hold(salp_file *file)
{
    salp__latch_take(&file->latch);
    file->holds++;
    salp__latch_release(&file->latch);
}

bool salp__opened_drop(salp_file *file)
{
    salp__latch_take(&file->latch);
    bool last = --file->holds == 0;
    salp__latch_release(&file->latch);
    return last;
}

void salp__opened_release(salp_file *file)
{
    if (!salp__opened_drop(file))
        return;
    (void)salp__disk_close(file->fd); /* nobody is there to be told */
    salp__free(file);
}

void salp__opened_leave(salp_file *file)
{
    salp__latch_take(&file->latch);
    file->left++;
    salp__latch_release(&file->latch);
}

void salp__opened_return(salp_file *file)
{
    salp__list woken;
    salp__list_open(&woken);
    salp__latch_take(&file->latch);
    if (--file->left == 0)
        salp__claim_all(&file->line, &woken);
    salp__latch_release(&file->latch);
    salp__resume_all(&woken);
}

int salp__opened_begin(salp_file *file)
{
    for (;;) {
        int error = salp__line_begin(&file->latch);
        if (error < 0)
            return error;
        if (file->left == 0) {
            salp__latch_release(&file->latch);
            return 0;
        }
        error = salp__line_wait(&file->latch, &file->line, "a file", NULL);
        if (error < 0 && error != -EINTR)
            return error;
    }
}
