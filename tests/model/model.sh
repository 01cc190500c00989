#!/bin/bash
# model.sh MODEL.pml - Spin finds no fault in the model, and one in each broken variant.
#
# The variants are macros, which the model's first comment describes: lines of a NAME and what it makes of the model.
# With SMALL it is also searched for runs that go on for ever without a label `progress`; the variants ENDLESS_... have
# one. A search that was not complete (depth, memory) is a failure, and so is a statement that is never reached.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
# shellcheck disable=SC2317 # `look` is called by xargs
. "$(dirname "$0")/../examples/tap.sh"

name=$(basename "$program" .pml)

# look VARIANT: has Spin check one, in a folder of its own. Broken ones are not optimised and have a small table (-w) of
# states: their fault is found soon. To compile takes most of the time, -Og the least with what follows.
look()
{
    local options=("-D$1") compiler=(-O0 -DSAFETY) search=(-w20)
    case $1 in
    right) options=() compiler=(-Og -DSAFETY) search=() ;;
    endless) options=(-DSMALL) compiler=(-Og -DNP) search=(-l) ;;
    ENDLESS_*) options+=(-DSMALL) compiler=(-O0 -DNP) search+=(-l -A) ;; # -A: whatever else is wrong
    esac
    mkdir "$scratch/$1"
    cd "$scratch/$1" || exit
    # The limits are nets: MiB, and a depth that is some ten times what is reached.
    {
        spin -a "${options[@]}" "$program" &&
            gcc -w -DMEMLIM=2000 "${compiler[@]}" -o pan pan.c &&
            ./pan -m20000 "${search[@]}"
    } > out 2>&1
}
export -f look
export program scratch

# complete NAME FILE: all has been searched and reached, and there is no fault.
complete()
{
    grep -q 'errors: 0$' "$2" &&
        ! grep -Eq 'max search depth too small|Search not completed|\([1-9][0-9]* of [0-9]+ states\)' "$2"
    local status=$?
    ok "$status" "$1"
    [ "$status" -eq 0 ] || sed 's/^/# /' "$2"
}

mapfile -t variants < <(sed -n 's/^ \*   \([A-Z_]\{4,\}\)  .*/\1/p' "$program")
# shellcheck disable=SC2016 # for the shells that xargs starts
printf '%s\n' right endless "${variants[@]}" | xargs -n 1 -P "$(nproc)" bash -c 'look "$1"' look

complete "$name: no fault is found" "$scratch/right/out"
complete "$name: nothing goes on for ever without progress" "$scratch/endless/out"
for variant in "${variants[@]}"; do
    fault='(assertion violated|invalid end state)'
    [[ $variant != ENDLESS_* ]] || fault='non-progress cycle'
    has "$name: a fault is found in $(sed -n "s/^ \*   $variant  *//p" "$program")" \
        "$scratch/$variant/out" "^pan:1: $fault"
done
is "$name: there are broken variants" "$((${#variants[@]} > 0))" 1

done_testing
