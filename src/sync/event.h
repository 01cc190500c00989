/*
 * Events as a select sees them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__EVENT_H
#define SALP__EVENT_H

#include <salp/sync.h>

#include "sync/source.h"

salp__source salp__event_source(salp_event *event);

#endif
