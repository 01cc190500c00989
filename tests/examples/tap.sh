# tap.sh - what the tests that are shell scripts share: a scratch folder and TAP.
# Sourced by them; each gets what it tests as its first argument: a program, a file.
#
# SPDX-License-Identifier: MIT
# shellcheck shell=bash

set -u
export LC_ALL=C.UTF-8

# shellcheck disable=SC2034 # used by those who source this
program=$(readlink -f "$1")
scratch=$(mktemp -d)
trap 'chmod -R u+rwX "$scratch"; rm -rf "$scratch"' EXIT

tests=0
failures=0

# ok STATUS NAME: one test, passed if STATUS is 0.
ok()
{
    tests=$((tests + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $tests - $2"
    else
        echo "not ok $tests - $2"
        failures=$((failures + 1))
    fi
}

# skip NAME REASON
skip()
{
    tests=$((tests + 1))
    echo "ok $tests - $1 # SKIP $2"
}

# is NAME GOT EXPECTED: two strings are the same.
is()
{
    [ "$2" = "$3" ]
    ok $? "$1"
    [ "$2" = "$3" ] || printf 'got:\n%s\nexpected:\n%s\n' "$2" "$3" | sed 's/^/# /'
}

# same NAME GOT EXPECTED: two files are the same, byte for byte.
same()
{
    cmp -s "$2" "$3"
    ok $? "$1"
    cmp -s "$2" "$3" || diff -a "$3" "$2" | head -20 | sed 's/^/# /'
}

# has NAME FILE PATTERN: a line of the file matches the extended regular expression.
has()
{
    grep -Eq -- "$3" "$2"
    ok $? "$1"
    grep -Eq -- "$3" "$2" || { echo "# no line matches: $3"; sed 's/^/# /' "$2"; }
}

done_testing()
{
    echo "1..$tests"
    [ "$failures" -eq 0 ]
    exit
}
