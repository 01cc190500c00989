#!/bin/bash
# process.sh PROGRAM - each start method runs the function, and a crash is told.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

out=$scratch/out
"$program" > "$out" 2> "$scratch/err"
is "process succeeds" $? 0
has "a fork sees memory as it is" "$out" '^fork: "hello Ada, the variable is 2 here", exit status 0$'
has "the server's processes do not" "$out" '^server: "hello Ada, the variable is 1 here", exit status 0$'
has "nor does one that is executed anew" "$out" '^spawn: "hello Ada, the variable is 1 here", exit status 0$'
for method in fork server spawn; do
    has "$method: a crash tells its signal" "$out" "^$method: ended by signal 11 \(Segmentation fault\)\$"
done
is "and where it was, each time" "$(grep -c '^    #0 write_through_null at .*process\.c:' "$out")" 3
has "the program's memory is as it was" "$out" '^the variable is 2 in the program$'
is "nothing is written on standard error" "$(cat "$scratch/err")" ""

done_testing
