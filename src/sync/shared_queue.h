/*
 * Queues between processes: what sync/queue.c calls for one that was opened so.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SHARED_QUEUE_H
#define SALP__SHARED_QUEUE_H

#include <salp/queue.h>

#include "sync/source.h"

typedef struct salp__shared_queue salp__shared_queue;

/* Errors of these as of the public calls. Each accepts what it was opened into alone. */
int salp__shared_queue_open(salp__shared_queue **queue, const salp_queue_options *options);
int salp__shared_queue_attach(salp__shared_queue **queue, int fd, const salp_queue_options *options);
void salp__shared_queue_close(salp__shared_queue *queue);
int salp__shared_queue_fd(const salp__shared_queue *queue);
int salp__shared_queue_put(salp__shared_queue *queue, const void *item, bool wait);
int salp__shared_queue_get(salp__shared_queue *queue, void *item, bool wait);
int salp__shared_queue_shutdown(salp__shared_queue *queue);
int salp__shared_queue_done(salp__shared_queue *queue);
int salp__shared_queue_join(salp__shared_queue *queue);
size_t salp__shared_queue_count(salp__shared_queue *queue);

salp__source salp__shared_queue_get_source(salp__shared_queue *queue);
salp__source salp__shared_queue_put_source(salp__shared_queue *queue);

#endif
