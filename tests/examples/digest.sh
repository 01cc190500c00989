#!/bin/bash
# digest.sh PROGRAM - digest prints what sha256sum prints, byte for byte, for names of every kind.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

# What digest must print for a folder: the names in the order of their bytes.
reference()
{
    find -H "$1" -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum
}

# A folder with names and contents of every kind.
tree=$scratch/tree
mkdir -p "$tree/sub folder/deeper" "$tree/empty folder" "$tree/-dash"
printf 'plain\n' > "$tree/plain"
printf 'spaces\n' > "$tree/name with  spaces"
printf 'newline\n' > "$tree/two"$'\n'"lines"
printf 'backslash\n' > "$tree/back\\slash"
printf 'both\n' > "$tree/back\\slash and"$'\n'"newline"
printf 'return\n' > "$tree/carriage"$'\r'"return"
printf 'utf-8\n' > "$tree/Salpe – サルパ – ß"
printf 'not utf-8\n' > "$tree/"$'latin-\xe9'
printf 'quotes\n' > "$tree/\"quotes' and *? [a]"
printf 'upper\n' > "$tree/Upper"
printf 'dash\n' > "$tree/-dash/-n"
: > "$tree/empty"
printf '\0\377\0' > "$tree/binary"
head -c 32768 /dev/zero > "$tree/one buffer"
head -c 3000001 /dev/zero > "$tree/sub folder/long"
seq 1 50000 > "$tree/sub folder/deeper/numbers"
ln -s plain "$tree/link to a file"
ln -s . "$tree/link to a folder"
mkfifo "$tree/fifo"
for i in $(seq 1 300); do printf '%s' "$i" > "$tree/sub folder/$i"; done

reference "$tree" > "$scratch/expected"
for engine in processes threads; do
    for workers in 1 2 5; do
        option=()
        [ $engine = threads ] && option=(--threads)
        "$program" "${option[@]}" --workers $workers --plain "$tree" > "$scratch/out" 2> "$scratch/err"
        is "$workers $engine: success" $? 0
        same "$workers $engine: the output is that of sha256sum" "$scratch/out" "$scratch/expected"
        is "$workers $engine: --plain leaves standard error empty" "$(cat "$scratch/err")" ""
    done
done

sha256sum --check --quiet "$scratch/out" > "$scratch/check" 2>&1
is "sha256sum --check accepts the output" "$?:$(cat "$scratch/check")" "0:"

"$program" "$tree" > "$scratch/out" 2> "$scratch/err"
is "with times: success" $? 0
same "with times: the output is the same" "$scratch/out" "$scratch/expected"
has "with times: says what was compared" "$scratch/err" '^[0-9]+ files, read again from the page cache:$'
has "with times: the time in line" "$scratch/err" '^  in line +[0-9]+\.[0-9]{3} s$'
has "with times: the time on the pool" "$scratch/err" '^  on +[0-9]+ processes +[0-9]+\.[0-9]{3} s, [0-9.]+ times as fast$'
is "without a terminal there is no progress bar" "$(grep -c '%' "$scratch/err")" 0

if script -V > "$scratch/version" 2>&1; then
    SHELL=/bin/sh script -qec "'$program' '$tree' > '$scratch/out'" /dev/null > "$scratch/terminal" < /dev/null
    tr '\r' '\n' < "$scratch/terminal" > "$scratch/bars"
    has "on a terminal the progress bar ends full" "$scratch/bars" '\[#{50}\] 100 %  [0-9]+ of [0-9]+'
    same "on a terminal the output is the same" "$scratch/out" "$scratch/expected"
else
    skip "on a terminal the progress bar ends full" "no script command"
fi

# A real folder. The names relative to it, as a user in it would see them.
headers=/usr/include/linux
if [ -d $headers ]; then
    reference $headers > "$scratch/expected"
    "$program" --plain $headers > "$scratch/out" 2> "$scratch/err"
    is "headers: success" $? 0
    same "headers: the output is that of sha256sum" "$scratch/out" "$scratch/expected"
    (cd $headers && reference . > "$scratch/expected" && "$program" --plain . > "$scratch/out")
    same "headers: also for the current folder" "$scratch/out" "$scratch/expected"
    reference $headers/ > "$scratch/expected"
    "$program" --plain $headers/ > "$scratch/out"
    same "headers: also with a slash at the end" "$scratch/out" "$scratch/expected"
else
    skip "headers: the output is that of sha256sum" "no $headers"
fi

"$program" --plain "$tree/plain" > "$scratch/out"
reference "$tree/plain" > "$scratch/expected"
same "a file in place of a folder" "$scratch/out" "$scratch/expected"
"$program" --plain "$tree/empty folder" > "$scratch/out" 2> "$scratch/err"
is "an empty folder" "$?:$(cat "$scratch/out" "$scratch/err")" "0:"
"$program" --plain "$scratch/none" > "$scratch/out" 2> "$scratch/err"
is "no such folder: status and message" "$?:$(cat "$scratch/out" "$scratch/err")" \
    "1:digest: $scratch/none: No such file or directory"

for wrong in "--workers 0" "--workers 2x" "--nonsense" "a b"; do
    # shellcheck disable=SC2086 # two words each
    "$program" $wrong > "$scratch/out" 2> "$scratch/err"
    is "digest $wrong is refused" "$?:$(cat "$scratch/out")" "2:"
done

# An unreadable file. Root reads everything, so it has to give up that power first.
chmod 000 "$tree/binary"
as=()
[ "$(id -u)" -eq 0 ] && as=(setpriv "--bounding-set=-dac_override,-dac_read_search")
if "${as[@]}" cat "$tree/plain" > "$scratch/cat" 2>&1 && ! "${as[@]}" cat "$tree/binary" > "$scratch/cat" 2>&1; then
    find "$tree" -type f -print0 | LC_ALL=C sort -z | "${as[@]}" xargs -0 sha256sum > "$scratch/expected" 2> "$scratch/complaint"
    "${as[@]}" "$program" --plain "$tree" > "$scratch/out" 2> "$scratch/err"
    is "an unreadable file: status 1" $? 1
    same "an unreadable file: all others have their line" "$scratch/out" "$scratch/expected"
    is "an unreadable file: it is named, as by sha256sum" "$(cat "$scratch/err")" \
        "$(sed 's/^sha256sum/digest/' "$scratch/complaint")"
else
    skip "an unreadable file: status 1" "no way to be refused a file"
fi

done_testing
