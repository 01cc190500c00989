#!/bin/bash
# timeout.sh PROGRAM - a deadline ends work and clean-up, a shield holds, and the scope tells whose deadline it was.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

"$program" > "$scratch/out" 2> "$scratch/err"
is "timeout succeeds" $? 0
cat > "$scratch/expected" <<'END'
enough time
  work: success
  our own deadline: was kept
too little time
  work: Connection timed out
  goodbye, in vain: Connection timed out
  goodbye, behind a shield: success
  it was our own deadline
enough time, but not outside
  work: Connection timed out
  goodbye, in vain: Connection timed out
  goodbye, behind a shield: success
  our own deadline: was not the one
outside
  Connection timed out
END
same "timeout prints what the deadlines ended" "$scratch/out" "$scratch/expected"
is "timeout writes nothing on standard error" "$(cat "$scratch/err")" ""

done_testing
