#!/bin/bash
# worth.sh PROGRAM - asks what is worth it, does that, and gets the right result.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

for form in text json svg; do
    "$program" $form > "$scratch/$form" 2> "$scratch/err"
    is "worth $form succeeds" $? 0
    is "worth $form finds the primes" "$(cat "$scratch/err")" "33860 primes below 400000"
done
has "the text says which way is best" "$scratch/text" '^best +(A loop without a pool|[0-9]+ (thread|process))'
has "the text has the loop" "$scratch/text" '^[* ] in line +1 '
has "the JSON has plans" "$scratch/json" '"plans":\[\{"way":"inline","workers":1,'
has "the picture is one" "$scratch/svg" '^</svg>$'

done_testing
