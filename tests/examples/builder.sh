#!/bin/bash
# builder.sh PROGRAM - what is needed comes first, no more run at once than may, and a failure ends the others.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
cd "$scratch" || exit 1

# Whether the processes of these numbers, each in a file, are gone: some seconds are given to go.
gone()
{
    local file
    for file; do
        for _ in $(seq 500); do
            [ -s "$file" ] && ! kill -0 "$(cat "$file")" 2> /dev/null && continue 2
            sleep 0.02
        done
        return 1
    done
}

cat > diamond <<'END'
# The order in the file is not the one in which they can be built.
top: left right
    cat left right > top
    cat top
left: bottom
    sed s/bottom/left/ bottom > left

right: bottom
    sed s/bottom/right/ bottom > right
bottom:
    echo bottom > bottom
    echo warning >&2
END
"$program" diamond > out 2> err
is "a diamond is built" $? 0
sed -n -e '1,2p' -e '5,7p' out > ends
cat > expected <<'END'
[1/4] bottom
warning
[4/4] top
left
right
END
same "what is needed is built before, and each output stands in one piece" ends expected
sed -n 3,4p out | sed 's/.* //' | sort > middle
printf 'left\nright\n' > expected
same "the two between come in any order" middle expected
is "nothing is written on standard error" "$(cat err)" ""

# Each of the two waits until the other one runs.
mkfifo there back
cat > pair <<'END'
one:
    echo x > there
    read y < back
two:
    read x < there
    echo y > back
END
"$program" -j 2 pair > out
is "two run at the same time when they may" $? 0
"$program" -j 1 -t 0.2 pair > out
is "with one at a time they wait for each other in vain" $? 1
has "and end when their time is over" out ": took too long$"

cat > fails <<'END'
sleeps:
    echo $$ > pid.new
    mv pid.new pid
    sleep 100000 & echo $! > child.new
    mv child.new child
    wait
fails:
    until [ -e child ]; do sleep 0.01; done
    echo reason
    exit 3
never: fails
    touch never
END
"$program" fails > out
is "a failure is a failure of the whole" $? 1
printf 'fails: exit status 3\nreason\n' > expected
same "it is told with its output" out expected
[ ! -e never ]
ok $? "what needs it is not built"
gone pid child
ok $? "what ran beside it was ended, with its children"

rm pid child
cat > long <<'END'
sleeps:
    echo $$ > pid.new
    mv pid.new pid
    sleep 100000
END
"$program" long > out &
until [ -e pid ]; do sleep 0.01; done
kill -INT $!
wait $!
is "Ctrl-C ends it" $? 1
is "and it says so" "$(cat out)" "stopped"
gone pid
ok $? "nothing runs on"

printf 'a: b\nb: c\nc: a\n' > circle
"$program" circle 2> err
is "a circle is refused" $? 1
is "with its reason" "$(cat err)" "a needs itself"
printf 'a: b\n' > missing
"$program" missing 2> err
is "a need that is no target is refused" "$(cat err)" "a needs b, which is no target"

done_testing
