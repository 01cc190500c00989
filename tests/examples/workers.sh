#!/bin/bash
# workers.sh PROGRAM - each task is answered once, and rightly, by one of the workers.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

"$program" > "$scratch/out" 2> "$scratch/err"
is "workers succeeds" $? 0
for i in {0..19}; do echo "$i * 7 = $((i * 7))"; done > "$scratch/expected"
for i in {0..9}; do echo "$i + 8 = $((i + 8))"; done >> "$scratch/expected"
sort "$scratch/expected" > "$scratch/sorted"
sed -E 's/^worker [0-3] says that //' "$scratch/out" | sort > "$scratch/answers"
same "each task is answered once" "$scratch/answers" "$scratch/sorted"
is "workers writes nothing on standard error" "$(cat "$scratch/err")" ""

done_testing
