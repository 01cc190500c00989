#!/bin/bash
# gather.sh PROGRAM - all answers come together, and one failure cancels who is still waiting.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

"$program" > "$scratch/out" 2> "$scratch/err"
is "gather succeeds" $? 0
cat > "$scratch/expected" <<'END'
all answer: success
  Lisbon: 24 degrees
  Oslo: 9 degrees
  Quito: 15 degrees
one fails: No data available
  Lisbon: Operation canceled
  Oslo: No data available
  Quito: 15 degrees
END
same "gather prints the answers, and who failed, who was cancelled, who had answered before" "$scratch/out" "$scratch/expected"
is "gather writes nothing on standard error" "$(cat "$scratch/err")" ""

done_testing
