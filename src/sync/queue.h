/*
 * Queues as a select sees them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__QUEUE_H
#define SALP__QUEUE_H

#include <salp/queue.h>

#include "sync/source.h"

salp__source salp__queue_get_source(salp_queue *queue);
salp__source salp__queue_put_source(salp_queue *queue);

#endif
