#!/bin/bash
# square.sh PROGRAM - the first program prints exactly what the documentation says.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

"$program" > "$scratch/out" 2> "$scratch/err"
is "square succeeds" $? 0
cat > "$scratch/expected" <<'END'
Dataset: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
Result: [1, 4, 9, 16, 25, 36, 49, 64, 81, 100, 121, 144, 169, 196]
END
same "square prints the data set and its squares" "$scratch/out" "$scratch/expected"
is "square writes nothing on standard error" "$(cat "$scratch/err")" ""

done_testing
