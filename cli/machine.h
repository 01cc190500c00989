/*
 * The two ways to print a machine.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__CLI_MACHINE_H
#define SALP__CLI_MACHINE_H

#include <stdio.h>

#include <salp/machine.h>

/* For people, 80 columns wide. Returns 0 or -ENOMEM. */
int cli_machine_draw(FILE *file, const salp_machine *machine);

/* For programs: docs/machine.md has the names. */
void cli_machine_write_json(FILE *file, const salp_machine *machine);

#endif
