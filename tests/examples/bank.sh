#!/bin/bash
# bank.sh PROGRAM - one teller is killed with the books locked; the others go on, and no money is lost.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

"$program" > "$scratch/out" 2> "$scratch/err"
is "bank succeeds" $? 0
cat > "$scratch/expected" <<'END'
teller 0 has made 2000 transfers
teller 1 was ended by signal 9
teller 2 has made 2000 transfers
times that the books were put right: 1
each audit has found all the money
END
same "bank tells who has died, and that the books were put right" "$scratch/out" "$scratch/expected"
is "bank writes nothing on standard error" "$(cat "$scratch/err")" ""

done_testing
