/* Files and directories by their names. SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <salp/file.h>

#include "file/order.h"
#include "os/disk.h"
#include "os/memory.h"

/* ---- one name ---- */

static int64_t call_status(salp__order *order)
{
    struct stat status;
    int error = salp__disk_look_at(order->path, &status);
    if (error == 0)
        salp__file_info_of(&order->info, &status);
    return error;
}

int salp_path_status(const char *path, salp_file_info *info)
{
    return path && info ? salp__order_tell(salp__order_open(call_status, path, NULL), info) : -EINVAL;
}

static int64_t call_rename(salp__order *order)
{
    return salp__disk_rename(order->path, order->other);
}

int salp_path_rename(const char *from, const char *to)
{
    return from && to ? (int)salp__order_finish(salp__order_open(call_rename, from, to)) : -EINVAL;
}

static int64_t call_remove(salp__order *order)
{
    return salp__disk_remove(order->path);
}

int salp_path_remove(const char *path)
{
    return path ? (int)salp__order_finish(salp__order_open(call_remove, path, NULL)) : -EINVAL;
}

static int64_t call_make(salp__order *order)
{
    return salp__disk_make_directory(order->path, order->mode);
}

int salp_directory_make(const char *path, unsigned mode)
{
    salp__order *order = path ? salp__order_open(call_make, path, NULL) : NULL;
    if (order)
        order->mode = mode ? mode : 0777;
    return path ? (int)salp__order_finish(order) : -EINVAL;
}

/* ---- all names in a directory ---- */

/*
 * While they are found it is not known how many there will be: each is a byte for its type and its name, one behind the
 * other in a buffer. The list is one block: entries, and those bytes behind them.
 */
static salp_file_type type_of(const struct dirent *entry)
{
    switch (entry->d_type) {
    case DT_REG:
        return SALP_FILE_REGULAR;
    case DT_DIR:
        return SALP_FILE_DIRECTORY;
    case DT_LNK:
        return SALP_FILE_LINK;
    default:
        return SALP_FILE_OTHER;
    }
}

static int add(salp_buffer *found, const struct dirent *entry)
{
    char type = (char)type_of(entry);
    size_t length = strlen(entry->d_name) + 1;
    int error = salp_buffer_reserve(found, 1 + length);
    if (error < 0)
        return error;
    (void)salp_buffer_append(found, &type, 1);
    (void)salp_buffer_append(found, entry->d_name, length);
    return 0;
}

/* Returns how many. */
static int find(DIR *directory, salp_buffer *found)
{
    struct dirent *entry;
    int count = 0, result;
    while ((result = salp__disk_list_next(directory, &entry)) > 0) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        int error = count < INT_MAX ? add(found, entry) : -EOVERFLOW;
        if (error < 0)
            return error;
        count++;
    }
    return result < 0 ? result : count;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const salp_entry *)a)->name, ((const salp_entry *)b)->name);
}

static int arrange(salp_buffer *found, int count)
{
    size_t entries = (size_t)count * sizeof(salp_entry);
    char *block = salp__allocate(entries + found->size + 1);
    if (!block)
        return -ENOMEM;
    salp_entry *list = (salp_entry *)block;
    char *next = block + entries;
    if (found->size > 0)
        memcpy(next, found->data, found->size);
    for (int i = 0; i < count; i++) {
        list[i] = (salp_entry){ .name = next + 1, .type = (salp_file_type)*next };
        next += 1 + strlen(next + 1) + 1;
    }
    qsort(list, (size_t)count, sizeof *list, by_name);
    salp_buffer_free(found);
    *found = (salp_buffer){ .data = block, .size = entries };
    return count;
}

static int64_t call_list(salp__order *order)
{
    DIR *directory;
    int result = salp__disk_list_open(order->path, &directory);
    if (result < 0)
        return result;
    result = find(directory, &order->found);
    salp__disk_list_close(directory);
    return result < 0 ? result : arrange(&order->found, result);
}

int salp_directory_list(salp_entry **entries, const char *path)
{
    if (!entries)
        return -EINVAL;
    *entries = NULL;
    if (!path)
        return -EINVAL;
    salp__order *order = salp__order_open(call_list, path, NULL);
    int result = salp__order_do(order);
    if (result < 0)
        return result;
    result = (int)order->result;
    if (result >= 0) {
        *entries = order->found.data;
        order->found = (salp_buffer){ .size = 0 };
    }
    salp__order_free(order);
    return result;
}

void salp_entries_free(salp_entry *entries)
{
    salp__free(entries);
}
