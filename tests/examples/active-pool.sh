#!/bin/bash
# active-pool.sh PROGRAM - each process has its turn, and never more than three have it.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

out=$scratch/out
"$program" > "$out" 2> "$scratch/err"
is "active-pool succeeds" $? 0
is "ten times somebody becomes active" "$(grep -cE '^now running:( [0-9])+$' "$out")" 10
is "and each of ten does" "$(grep -oE ' [0-9]' "$out" | sort -u | wc -l)" 10
is "never are more than three" "$(grep -cE '( [0-9]){4}' "$out")" 0
is "active-pool writes nothing on standard error" "$(cat "$scratch/err")" ""

done_testing
