# server.sh - for tests of programs that serve: starting one, talking to it, stopping it. Sourced by them, after tap.sh.
#
# The programs print "port N" when they listen.
#
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154

server=
trap '[ -z "$server" ] || kill -9 "$server" 2> /dev/null; chmod -R u+rwX "$scratch"; rm -rf "$scratch"' EXIT

# start_server COMMAND...: runs it in the background, and sets $server and $port.
start_server()
{
    : > "$scratch/server-out"
    "$@" > "$scratch/server-out" 2> "$scratch/server-err" &
    server=$!
    until port=$(sed -n 's/^port //p' "$scratch/server-out") && [ -n "$port" ]; do
        kill -0 "$server" 2> /dev/null || { cat "$scratch/server-err"; exit 1; }
        sleep 0.02
    done
}

# stop_server SIGNAL: and its exit status is the result.
stop_server()
{
    local status
    kill "-$1" "$server"
    wait "$server"
    status=$?
    server=
    return $status
}

# ask FORMAT: sends what printf makes of it, and prints all that comes back until the server closes.
ask()
{
    local connection
    exec {connection}<> "/dev/tcp/127.0.0.1/$port"
    # shellcheck disable=SC2059 # that is what it is for
    printf "$1" >&"$connection"
    cat <&"$connection"
    exec {connection}>&-
}

# without PROGRAM TEST...: skips the tests if there is no such program.
without()
{
    local program=$1 test
    shift
    command -v "$program" > /dev/null && return 1
    for test; do skip "$test" "there is no $program"; done
}
