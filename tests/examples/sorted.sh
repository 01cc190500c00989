#!/bin/bash
# sorted.sh PROGRAM - sorted prints what sort prints.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

cd "$scratch" || exit 1
: > empty
printf '\n' > blank
printf 'b\na\n\nab\n\377\nA\na\n' > few
printf 'no newline\nat the end' > open
printf 'b\0b\nb\0a\nb\n' > zeros
seq 1 5000 > ascending
tac ascending > descending
yes 'the same' | head -n 5000 > equal
# More than the caches of most processors hold: numbers like dice, and lines of every length.
awk 'BEGIN { x = 1; for (i = 0; i < 400000; i++) { x = (x * 16807) % 2147483647; print x substr("abcdefghijklmnopqrstuvwxyz", 1, x % 27) } }' > large

for file in empty blank few open zeros ascending descending equal large; do
    "$program" $file > out 2> err
    is "$file: success, and nothing on standard error" "$?:$(cat err)" "0:"
    LC_ALL=C sort -s $file > expected
    same "$file: the output is that of sort" out expected
done

"$program" none > out 2> err
is "no such file" "$?:$(cat out err)" "1:sorted: none: No such file or directory"
"$program" . > out 2> err
is "a folder" "$?:$(cat out)" "1:"

done_testing
