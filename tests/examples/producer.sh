#!/bin/bash
# producer.sh PROGRAM - every number comes through the queue, in its order, and no more are in it than it has room for.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

"$program" > "$scratch/out" 2> "$scratch/err"
is "producer succeeds" $? 0
cat > "$scratch/expected" <<'END'
90 = 2 * 3 * 3 * 5
91 = 7 * 13
92 = 2 * 2 * 23
93 = 3 * 31
94 = 2 * 47
95 = 5 * 19
96 = 2 * 2 * 2 * 2 * 2 * 3
97 = 97
98 = 2 * 7 * 7
99 = 3 * 3 * 11
the queue held 3 at most
END
same "producer prints all numbers in order, and what the queue held" "$scratch/out" "$scratch/expected"
is "producer writes nothing on standard error" "$(cat "$scratch/err")" ""

done_testing
