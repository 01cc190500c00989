#!/bin/bash
# queens.sh PROGRAM - all ways are counted, and the one that is shown is one.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

# check FILE SIZE: a board of so many rows, where no queen attacks another.
check()
{
    awk -v size="$2" '
        NR > 1 { row++; columns = length($0); queens = gsub(/Q/, "Q"); at[row] = index($0, "Q")
                 if (columns != size || queens != 1) wrong = 1 }
        END {
            if (row != size) wrong = 1
            for (i = 1; i <= row; i++) for (k = 1; k < i; k++) {
                aside = at[i] - at[k]
                if (aside == 0 || aside == i - k || aside == k - i) wrong = 1
            }
            exit wrong
        }' "$1"
}

while read -r size ways; do
    "$program" "$size" > "$scratch/out" 2> "$scratch/err"
    is "$size queens: it succeeds" $? 0
    is "$size queens: all ways are counted" "$(head -1 "$scratch/out")" "$size queens: $ways ways"
    is "$size queens: nothing is written on standard error" "$(cat "$scratch/err")" ""
    if [ "$ways" -gt 0 ]; then
        check "$scratch/out" "$size"
        ok $? "$size queens: one of them is shown"
    else
        is "$size queens: none is shown" "$(wc -l < "$scratch/out")" 1
    fi
done << 'END'
1 1
2 0
3 0
4 2
5 10
6 4
7 40
8 92
9 352
END

done_testing
