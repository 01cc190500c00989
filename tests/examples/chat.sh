#!/bin/bash
# chat.sh PROGRAM - everybody reads what the others say, and one who does not read holds up nobody.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/server.sh"

start_server "$program" 0

# come DESCRIPTOR NAME: a guest, who has been let in when the question is there.
come()
{
    local answer
    eval "exec $1<> /dev/tcp/127.0.0.1/$port"
    read -r -N 11 answer <&"$1"
    [ "$answer" = "your name: " ] || echo "# instead of the question: $answer"
    echo "$2" >&"$1"
}

line() { local text; read -r text <&"$1" && echo "$text"; }

come 3 anna
come 4 ben
is "who is there is told who comes" "$(line 3)" "ben has come"
come 5 carla
is "and so is everybody" "$(line 3) $(line 4)" "carla has come carla has come"
echo "hello" >&3
is "what one says the others read" "$(line 4) $(line 5)" "anna: hello anna: hello"
printf 'a\033[2Jb\n' >&4
is "and no terminal obeys" "$(line 3) $(line 5)" "ben: a [2Jb ben: a [2Jb"

# carla does not read any more, and is shown out when more was said than the system and her queue hold. ben reads all of it,
# in parts, so that he keeps up: his queue holds more than one of them.
said=$(printf '%0440d' 7)
: > "$scratch/got"
for ((part = 0; part < 10000; part++)); do
    for ((i = 0; i < 90; i++)); do printf '%06d %s\n' $((part * 90 + i)) "$said"; done > "$scratch/part"
    cat "$scratch/part" >&3
    sed 's/^/anna: /' "$scratch/part" >> "$scratch/expected"
    head -c "$((90 * (7 + 440 + 7)))" <&4 >> "$scratch/got" # the last ones a little later, when something else came, too
    tail -n 92 "$scratch/got" | grep -q '^carla has gone$' && break
done
is "one who does not read is shown out" "$(grep -c '^carla has gone$' "$scratch/got")" 1
echo "done" >&3
while IFS= read -r text <&4 && [ "$text" != "anna: done" ]; do printf '%s\n' "$text"; done >> "$scratch/got"
grep -v '^carla has gone$' "$scratch/got" > "$scratch/said"
same "and holds up nobody" "$scratch/said" "$scratch/expected"
cat <&5 > "$scratch/carla"
ok $? "she sees the end"

exec 4>&-
until text=$(line 3) && [ "$text" = "ben has gone" ]; do [ -n "$text" ] || break; done
is "who goes is missed" "$text" "ben has gone"
stop_server TERM
is "SIGTERM stops it" $? 0
is "chat writes nothing on standard error" "$(cat "$scratch/server-err")" ""

done_testing
