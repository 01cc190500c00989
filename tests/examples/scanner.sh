#!/bin/bash
# scanner.sh PROGRAM SERVER - the ports of servers are open, others are not.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/server.sh"
partner=$(readlink -f "$2")

start_server "$partner" 0

"$program" 127.0.0.1 "$port" "$port" > "$scratch/out"
is "scanner succeeds" $? 0
is "it finds a server" "$(cat "$scratch/out")" "port $port is open
1 open, 0 closed, 0 silent"

# Ports that no test listens on: whoever is scanned would have to do with a connection that says nothing.
"$program" 127.77.77.77 1 500 200 60000 > "$scratch/out"
is "a range is scanned" $? 0
read -r open _ closed _ silent _ < <(tail -n 1 "$scratch/out")
is "each port was open, closed or silent" $((open + closed + silent)) 500
stop_server TERM

"$program" 127.0.0.1 "$port" "$port" > "$scratch/out"
is "it is closed when the server is gone" "$(cat "$scratch/out")" "0 open, 1 closed, 0 silent"
"$program" 127.0.0.1 0 10 2> "$scratch/err"
is "a wrong port is refused" $? 2
"$program" 2> "$scratch/err"
is "a wrong call is refused" $? 2

done_testing
