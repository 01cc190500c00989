#!/bin/bash
# shared-array.sh PROGRAM - what the child stores, the parent reads.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

"$program" > "$scratch/out" 2> "$scratch/err"
is "shared-array succeeds" $? 0
cat > "$scratch/expected" <<'END'
3.1415927
[0, -1, -2, -3, -4, -5, -6, -7, -8, -9]
END
same "shared-array prints what the child has stored" "$scratch/out" "$scratch/expected"
is "shared-array writes nothing on standard error" "$(cat "$scratch/err")" ""

done_testing
