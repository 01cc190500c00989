#!/bin/bash
# machine.sh PROGRAM - an array and the caches of machines that are described, so that each machine prints the same.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

export HWLOC_SYNTHETIC="[numa(memory=4GiB)] l3:2(size=16MiB) l2:4(size=2MiB) l1:1(size=32KiB) core:1 pu:2"

"$program" 1000000 > "$scratch/out" 2> "$scratch/err"
is "machine succeeds" $? 0
cat > "$scratch/expected" <<'END'
1000000 doubles are 8000000 bytes.
They fit a cache of level 3, which has 16777216 bytes.
A block of 131072 doubles stays in the L2 cache.
16 workers can be at work on them.
END
same "machine tells the cache that they fit" "$scratch/out" "$scratch/expected"
is "machine writes nothing on standard error" "$(cat "$scratch/err")" ""

"$program" 4096 > "$scratch/out"
has "what just fits the nearest cache, fits it" "$scratch/out" "^They fit a cache of level 1, which has 32768 bytes.$"
"$program" 4097 > "$scratch/out"
has "one more needs the next" "$scratch/out" "^They fit a cache of level 2, which has 2097152 bytes.$"
"$program" 100000000 > "$scratch/out"
has "what fits no cache is told" "$scratch/out" "^They fit no cache, but the memory.$"
"$program" 1000000000000 > "$scratch/out"
has "what fits nowhere is told" "$scratch/out" "^They do not fit the memory.$"

HWLOC_SYNTHETIC="core:3 pu:1" "$program" 1 > "$scratch/out"
has "a machine without known caches is told" "$scratch/out" "^This system does not tell of its caches.$"
has "its processors are known" "$scratch/out" "^3 workers can be at work on them.$"

for argument in "" 0 -1 x 1x 9223372036854775807; do
    "$program" "$argument" > "$scratch/out" 2> "$scratch/err"
    is "'$argument' is no count" "$?" 2
done

done_testing
