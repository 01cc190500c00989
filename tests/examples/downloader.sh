#!/bin/bash
# downloader.sh PROGRAM SERVER - files come whole or not at all, and what fails costs one.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/server.sh"
partner=$(readlink -f "$2")

mkdir "$scratch/www" "$scratch/got"
cd "$scratch/got" || exit 1
for i in 1 2 3 4 5 6 7 8 9; do head -c "${i}00000" /dev/urandom > "$scratch/www/$i"; done
echo index > "$scratch/www/index.html"

# fetch_all: everything from the server at $port.
fetch_all()
{
    local urls=("http://127.0.0.1:$port/")
    for i in 1 2 3 4 5 6 7 8 9; do urls+=("http://127.0.0.1:$port/$i"); done
    rm -f ./*
    "$program" -n 3 "${urls[@]}" > "$scratch/out" 2> "$scratch/err"
    is "$1: all are fetched" $? 0
    is "$1: their lengths are told" "$(cat "$scratch/out")" "index.html: 6 bytes
1: 100000 bytes
2: 200000 bytes
3: 300000 bytes
4: 400000 bytes
5: 500000 bytes
6: 600000 bytes
7: 700000 bytes
8: 800000 bytes
9: 900000 bytes"
    diff -r "$scratch/www" "$scratch/got" > "$scratch/diff"
    is "$1: they are the same, and nothing else is there" "$(cat "$scratch/diff")" ""
}

start_server "$partner" --port 0 "$scratch/www"
fetch_all "files-server"
rm -f ./*
"$program" "http://127.0.0.1:$port/nothing" "http://127.0.0.1:$port/1" "https://127.0.0.1/x" "http://127.0.0.1:$port/x/1" \
    > "$scratch/out" 2> "$scratch/err"
is "a failure is told" $? 1
is "it costs one" "$(cat "$scratch/out")" "1: 100000 bytes"
is "each has its reason" "$(cat "$scratch/err")" "http://127.0.0.1:$port/nothing: status 404
https://127.0.0.1/x: Invalid argument
http://127.0.0.1:$port/x/1: File exists"
is "nothing is left of them" "$(ls)" 1
stop_server TERM

if ! without nginx "nginx: all are fetched"; then
    # nginx cannot choose a port itself: we try some.
    for port in $(shuf -i 20000-29999 -n 20); do
        cat > "$scratch/nginx.conf" << END
daemon off;
master_process off;
pid $scratch/nginx.pid;
error_log stderr;
events { }
http {
    access_log off;
    client_body_temp_path $scratch/1; proxy_temp_path $scratch/2; fastcgi_temp_path $scratch/3;
    uwsgi_temp_path $scratch/4; scgi_temp_path $scratch/5;
    server { listen 127.0.0.1:$port; root $scratch/www; chunked_transfer_encoding on; }
}
END
        nginx -p "$scratch" -c "$scratch/nginx.conf" > "$scratch/nginx-out" 2>&1 &
        server=$!
        # It writes its number when it listens, or ends.
        until [ -s "$scratch/nginx.pid" ] || ! kill -0 "$server" 2> /dev/null; do sleep 0.05; done
        [ ! -s "$scratch/nginx.pid" ] || break
    done
    fetch_all "nginx"
    stop_server TERM
    rm -f ./*
    "$program" "http://127.0.0.1:$port/1" > "$scratch/out" 2> "$scratch/err"
    is "a server that is gone is told" "$(cat "$scratch/err")" "http://127.0.0.1:$port/1: Connection refused"
fi

done_testing
