#!/bin/bash
# readme.sh README INCLUDE LIBRARY COMPILER... - the first program of the README compiles as it stands,
# without a warning, and prints the squares.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

readme=$1 include=$2 library=$(readlink -f "$3")
shift 3

# shellcheck disable=SC2016 # backquotes of Markdown
sed -n '/^`square.c`:$/,/^```$/p' "$readme" | sed '1,/^```c$/d; /^```$/d' > "$scratch/square.c"
has "the README has the program" "$scratch/square.c" '^int main\(void\)$'
"$@" -Wall -Wextra -Werror "$scratch/square.c" -I"$include" "$library" -Wl,-rpath,"$(dirname "$library")" \
    -o "$scratch/square" > "$scratch/messages" 2>&1
is "it compiles: the compiler is silent" "$?:$(cat "$scratch/messages")" "0:"
for i in $(seq 1 14); do echo $((i * i)); done > "$scratch/expected"
"$scratch/square" > "$scratch/out" 2> "$scratch/err"
is "it succeeds" "$?:$(cat "$scratch/err")" "0:"
same "it prints the squares" "$scratch/out" "$scratch/expected"

done_testing
