#!/bin/bash
# words.sh PROGRAM - words counts what wc counts.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

cd "$scratch" || exit 1
# What wc prints for each file, without the spaces that align its columns.
reference()
{
    for file; do
        wc -lwc -- "$file" | sed 's/^ *//; s/  */ /g'
    done
}

: > empty
printf 'one' > one
printf '\n\n  \t\n' > blank
printf 'no newline at  the end' > open
printf ' a b\tc\vd\fe\rf\n' > spaces
seq 1 300000 > numbers
# Long words, so that some reach across the borders of pieces, of whatever size these are.
for i in $(seq 1 200); do
    head -c $((i * 331)) /dev/zero | tr '\0' 'w'
    printf '%*s' $((i % 3 + 1)) ''
done > long

"$program" empty one blank open spaces numbers long > out 2> err
is "words succeeds" $? 0
reference empty one blank open spaces numbers long > expected
same "words prints what wc prints" out expected
is "words writes nothing on standard error" "$(cat err)" ""

"$program" one none . open > out 2> err
is "a file that is not there: status 1" $? 1
reference one open > expected
same "a file that is not there: the others are counted" out expected
is "a file that is not there, and a folder, are named" "$(cat err)" \
    $'words: none: No such file or directory\nwords: .: Is a directory'

done_testing
