#!/bin/bash
# counter.sh PROGRAM - nothing that was counted is lost, and each line is whole.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

"$program" > "$scratch/out" 2> "$scratch/err"
is "counter succeeds" $? 0
cat > "$scratch/expected" <<'END'
process 0 has counted 25000
process 1 has counted 25000
process 2 has counted 25000
process 3 has counted 25000
END
head -n 4 "$scratch/out" | sort > "$scratch/each"
same "each process prints a whole line" "$scratch/each" "$scratch/expected"
is "and the last line has the sum" "$(tail -n +5 "$scratch/out")" "together 100000"
is "counter writes nothing on standard error" "$(cat "$scratch/err")" ""

done_testing
