/*
 * salp.h - everything that Salp offers, in one include.
 *
 * Each header below can also be included alone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_H
#define SALP_H

#include <salp/address.h>
#include <salp/base.h>
#include <salp/buffer.h>
#include <salp/command.h>
#include <salp/datagram.h>
#include <salp/error.h>
#include <salp/file.h>
#include <salp/future.h>
#include <salp/loop.h>
#include <salp/machine.h>
#include <salp/loops.h>
#include <salp/name.h>
#include <salp/parallel.h>
#include <salp/pipe.h>
#include <salp/pool.h>
#include <salp/process.h>
#include <salp/queue.h>
#include <salp/select.h>
#include <salp/shared.h>
#include <salp/signal.h>
#include <salp/stream.h>
#include <salp/sync.h>
#include <salp/task.h>
#include <salp/time.h>
#include <salp/tls.h>
#include <salp/transport.h>
#include <salp/worth.h>

#endif
