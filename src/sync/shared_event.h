/*
 * Events between processes: what sync/event.c calls for one that was opened so.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SHARED_EVENT_H
#define SALP__SHARED_EVENT_H

#include <stdbool.h>

#include "sync/source.h"

typedef struct salp__shared_event salp__shared_event;

/* Errors of these as of the public calls. Each accepts what it was opened into alone. */
int salp__shared_event_open(salp__shared_event **event, bool set);
int salp__shared_event_attach(salp__shared_event **event, int fd);
void salp__shared_event_close(salp__shared_event *event);
int salp__shared_event_fd(const salp__shared_event *event);
int salp__shared_event_set(salp__shared_event *event);
int salp__shared_event_clear(salp__shared_event *event);
bool salp__shared_event_is_set(const salp__shared_event *event);
int salp__shared_event_wait(salp__shared_event *event);
salp__source salp__shared_event_source(salp__shared_event *event);

#endif
