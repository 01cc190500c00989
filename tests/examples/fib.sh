#!/bin/bash
# fib.sh PROGRAM - a recursion comes to what it should.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

is "fib of 0" "$("$program" 0)" "fib(0) = 0"
is "fib of 1" "$("$program" 1)" "fib(1) = 1"
is "fib of 24" "$("$program" 24 2> "$scratch/err")" "fib(24) = 46368"
is "fib writes nothing on standard error" "$(cat "$scratch/err")" ""
"$program" -1 > "$scratch/out" 2> "$scratch/err"
is "a negative number is refused" $? 1
has "it says why" "$scratch/err" '^fib: '

done_testing
