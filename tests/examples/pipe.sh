#!/bin/bash
# pipe.sh PROGRAM - short and long messages go to the child and back, and a file with them.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

"$program" > "$scratch/out" 2> "$scratch/err"
is "pipe succeeds" $? 0
cat > "$scratch/expected" <<'END'
salp
the child got a message of 5000000 bytes and this file
5000000 bytes, the first is z
the child has ended
END
same "pipe prints the answers, and the child writes to the file that it was sent" "$scratch/out" "$scratch/expected"
is "pipe writes nothing on standard error" "$(cat "$scratch/err")" ""

done_testing
