#!/bin/bash
# echo.sh PROGRAM - what is said comes back, to several at once, and a signal stops it.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/server.sh"

start_server "$program" 0

exec 3<> "/dev/tcp/127.0.0.1/$port" 4<> "/dev/tcp/127.0.0.1/$port"
echo one >&3
echo two >&4
read -r second <&4
read -r first <&3
is "each hears himself" "$first $second" "one two"
exec 3>&- 4>&-

head -c 5000000 /dev/urandom > "$scratch/much"
if ! without socat "socat gets back what it sends"; then
    socat -t 100 - "TCP:127.0.0.1:$port" < "$scratch/much" > "$scratch/got"
    same "socat gets back what it sends" "$scratch/got" "$scratch/much"
fi
if ! without nc "nc gets back what it sends"; then
    nc -N 127.0.0.1 "$port" < "$scratch/much" > "$scratch/got"
    same "nc gets back what it sends" "$scratch/got" "$scratch/much"
fi

stop_server INT
is "SIGINT stops it" $? 0
is "echo writes nothing on standard error" "$(cat "$scratch/server-err")" ""

done_testing
