#!/bin/bash
# ticker.sh PROGRAM - the map is right, and the ticker ends with it.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

"$program" > "$scratch/out" 2> "$scratch/err"
is "ticker succeeds" $? 0
is "ticker finds the sum" "$(cat "$scratch/out")" "the digits of all numbers below 40 million sum to 1320000000"
is "ticker writes nothing but its line on standard error" "$(tr -d '\r0-9. s' < "$scratch/err")" ""

done_testing
