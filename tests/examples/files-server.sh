#!/bin/bash
# files-server.sh PROGRAM - files come whole and in parts, nothing leaves the folder, and what is wrong is told.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/server.sh"

mkdir -p "$scratch/www/below" "$scratch/outside"
www=$scratch/www
echo 'hello, world' > "$www/hello.txt"
echo '<p>index</p>' > "$www/index.html"
echo 'a name' > "$www/a name.txt"
echo 'secret' > "$scratch/secret"
: > "$www/empty"
head -c 3000000 /dev/urandom > "$www/large"
ln -s "$scratch/secret" "$www/link"
ln -s ../secret "$www/below/link"
ln -s hello.txt "$www/inner"
mkfifo "$www/pipe"

start_server "$program" --port 0 "$www"

get() { ask "GET $1 HTTP/1.1\r\nHost: here\r\nConnection: close\r\n${2-}\r\n"; }
status() { get "$@" | head -n 1 | tr -d '\r'; }
body() { get "$@" | sed '1,/^\r$/d'; }
header() { get "$2" "${3-}" | tr -d '\r' | sed -n "/^$/q;s/^$1: //p"; }

is "a file is there" "$(status /hello.txt)" "HTTP/1.1 200 OK"
is "its bytes are" "$(body /hello.txt)" "hello, world"
is "its length is told" "$(header Content-Length /hello.txt)" 13
is "its type is told" "$(header Content-Type /hello.txt)" "text/plain; charset=utf-8"
body /large > "$scratch/got"
same "a large file comes whole" "$scratch/got" "$www/large"
is "an empty file is empty" "$(header Content-Length /empty)" 0
is "a folder has its index" "$(body /)" "<p>index</p>"
is "names are decoded" "$(body '/a%%20name.txt?query')" "a name"
is "a link within the folder is followed" "$(body /inner)" "hello, world"
is "HEAD sends no bytes" "$(ask 'HEAD /hello.txt HTTP/1.1\r\nConnection: close\r\n\r\n' | tail -n 1 | tr -d '\r')" ""

is "a range is a part" "$(body /hello.txt 'Range: bytes=7-9\r\n')" "wor"
is "it says so" "$(status /hello.txt 'Range: bytes=7-9\r\n')" "HTTP/1.1 206 Partial Content"
is "it says which" "$(header Content-Range /hello.txt 'Range: bytes=7-9\r\n')" "bytes 7-9/13"
is "a range may have no end" "$(body /hello.txt 'Range: bytes=7-\r\n')" "world"
is "a range may count from the end" "$(body /hello.txt 'Range: bytes=-6\r\n')" "world"
is "a range beyond the end is refused" "$(status /hello.txt 'Range: bytes=13-\r\n')" \
    "HTTP/1.1 416 Range Not Satisfiable"
is "no bytes from the end are refused" "$(status /hello.txt 'Range: bytes=-0\r\n')" \
    "HTTP/1.1 416 Range Not Satisfiable"
is "another range is none" "$(status /hello.txt 'Range: bytes=1-2,4-5\r\n')" "HTTP/1.1 200 OK"
modified=$(header Last-Modified /hello.txt)
is "what has not changed is not sent" "$(status /hello.txt "If-Modified-Since: $modified\r\n")" \
    "HTTP/1.1 304 Not Modified"

for path in /nothing /below /pipe /link /below/link /../secret /below/../../secret /%%2e%%2e/secret /..%%2fsecret; do
    is "$path is not to be had" "$(status "$path")" "HTTP/1.1 404 Not Found"
done
for path in /%%00 /%%zz /%%2 /%%2f"$scratch/secret"; do
    is "$path is no path" "$(status "$path")" "HTTP/1.1 400 Bad Request"
done
is "/ twice is as once" "$(status "//etc/passwd")" "HTTP/1.1 404 Not Found"

is "POST is not allowed" "$(ask 'POST / HTTP/1.1\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc' | head -n 1 | tr -d '\r')" \
    "HTTP/1.1 405 Method Not Allowed"
is "what is no HTTP is refused" "$(ask 'hello\r\n\r\n' | head -n 1 | tr -d '\r')" "HTTP/1.1 400 Bad Request"
many=$(printf 'X-Many: %01000d\\r\\n' 1 2 3 4 5 6 7 8 9 10)
is "too many headers are refused" "$(status / "$many")" "HTTP/1.1 431 Request Header Fields Too Large"
is "too long a name is refused" "$(status "/$(printf '%02000d' 1)")" "HTTP/1.1 414 URI Too Long"

request='GET /hello.txt HTTP/1.1\r\n\r\n'
is "a connection has many requests, also at once" \
    "$(ask "$request$request${request}GET /index.html HTTP/1.0\r\n\r\n" | grep -ac '^hello, world\|^<p>index</p>')" 4
is "and byte by byte" "$(
    exec 3<> "/dev/tcp/127.0.0.1/$port"
    text=$(printf 'GET /hello.txt HTTP/1.0\r\n\r\n.')
    for ((i = 0; i < ${#text} - 1; i++)); do printf '%s' "${text:i:1}" >&3; done
    tail -n 1 <&3
)" "hello, world"

# Who connects and says nothing, or goes away in the midst of a large file, is no harm to others.
exec 4<> "/dev/tcp/127.0.0.1/$port"
for i in 1 2 3 4 5; do
    exec 3<> "/dev/tcp/127.0.0.1/$port"
    printf 'GET /large HTTP/1.1\r\n\r\n' >&3
    head -c "${i}000" <&3 > "$scratch/some"
    exec 3>&-
done
is "others go on" "$(body /hello.txt)" "hello, world"
exec 4>&-

if ! without curl "curl gets the same" "curl keeps the connection" "curl goes on where it was"; then
    curl -s "http://127.0.0.1:$port/large" > "$scratch/got"
    same "curl gets the same" "$scratch/got" "$www/large"
    is "curl keeps the connection" "$(curl -s -o "$scratch/one" -o "$scratch/two" -w '%{num_connects} ' \
        "http://127.0.0.1:$port/hello.txt" "http://127.0.0.1:$port/large")" "1 0 "
    head -c 1234567 "$www/large" > "$scratch/got"
    curl -s -C - -o "$scratch/got" "http://127.0.0.1:$port/large"
    same "curl goes on where it was" "$scratch/got" "$www/large"
fi

stop_server TERM
is "SIGTERM stops it" $? 0
is "files-server writes nothing on standard error" "$(cat "$scratch/server-err")" ""

# Several loops, and under load.
start_server "$program" --loops 3 --port 0 "$www"
is "loops share a port" "$(for i in 1 2 3 4 5 6 7 8 9 10; do body /hello.txt; done | grep -c '^hello, world$')" 10
if ! without wrk "wrk gets all that it asks for"; then
    wrk --connections 20 --threads 2 --duration 1 "http://127.0.0.1:$port/hello.txt" > "$scratch/wrk"
    is "wrk gets all that it asks for" \
        "$(grep -c 'Socket errors\|Non-2xx' "$scratch/wrk") $(grep -c 'requests in' "$scratch/wrk")" "0 1"
fi
stop_server INT
is "SIGINT stops it" $? 0

"$program" --loops 0 "$www" 2> "$scratch/err"
is "a wrong call is refused" $? 2
"$program" "$scratch/nowhere" 2> "$scratch/err"
is "a folder has to be there" $? 1

done_testing
