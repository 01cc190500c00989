#!/bin/bash
# crash.sh PROGRAM - every way to fail is named, and nothing else is lost.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

out=$scratch/out
"$program" > "$out" 2> "$scratch/err"
is "crash succeeds" $? 0

died="the worker died while it ran the item"
has "a null pointer: signal and address" "$out" "^item 3: $died, killed by signal 11 \(Segmentation fault\) at address 0x0$"
has "a null pointer: the backtrace names the function" "$out" '^ +#0 .*write_through_null'
has "endless recursion: signal and address" "$out" "^item 6: $died, killed by signal 11 \(Segmentation fault\) at address 0x[0-9a-f]+$"
has "endless recursion: the backtrace names the function" "$out" '^ +#[0-9]+ .*recurse_for_ever'
has "abort: the signal" "$out" "^item 9: $died, killed by signal 6 \(Aborted\)$"
has "exit: the status" "$out" "^item 12: $died, exited with status 3$"
has "an endless loop: the time limit" "$out" "^item 15: it ran past its time limit$"
has "memory: the limit" "$out" "^item 18: the worker went past its memory limit while it ran the item$"
is "six items failed, each was told once" "$(grep -c '^item ' "$out")" 6

has "the map returns the error of the lowest failed item" "$out" "^the map returned: $died$"
has "every other item has its result" "$out" \
    '^results: 0 1 4 - 16 25 - 49 64 - 100 121 - 169 196 - 256 289 - 361$'
has "the count agrees" "$out" '^14 of 20 items have their result$'
has "the pool works on" "$out" '^one more item: 400$'

done_testing
