#!/usr/bin/python3
"""A server of files over HTTP, under the load of wrk.

    web.py name=value... -- COMMAND [ARGUMENT...]

Puts one small file into a folder of its own and starts the command, a server that listens on 127.0.0.1: {folder} and
{port} in its words are replaced. "nginx" alone is nginx with one worker and no log; "nginx cached", the same with files
that stay open. Fetches the file and compares it; then wrk does, and every answer must be 200.

    size=1024            bytes of the file
    connections=50       over which wrk asks, from one thread
    seconds=1            that it asks, after a first second
    processor=N server_processor=N      where wrk and the server have to stay

Prints "request PICOSECONDS", the time of one request, and "processor PICOSECONDS", what the server's processes took for
one.

SPDX-License-Identifier: MIT
"""

import ctypes
import http.client
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NGINX = """
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {cache}
    server {{
        listen 127.0.0.1:{port};
        root {folder}/files;
    }}
}}
"""
PR_SET_PDEATHSIG = 1
PATIENCE = 20  # seconds until a server listens, or has ended


def find_program(program):
    """Where a program is that may be among those of the administrator."""
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def server_command(words, folder, port):
    """The command, with the configuration of nginx written if it is that."""
    if words[0] != "nginx":
        return [word.replace("{folder}", str(folder / "files")).replace("{port}", str(port)) for word in words]
    user = "user root;" if os.geteuid() == 0 else ""  # else it changes to one who may not see the folder
    cache = "open_file_cache max=1000; open_file_cache_valid 60s;" if words[1:] == ["cached"] else ""
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, user=user, cache=cache), encoding="utf-8")
    return [find_program("nginx"), "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(config)]


def on(processor, ends_with_us=False):
    """Something to call in a new process: it stays on the processor, and is told to end when this program does."""
    def prepare():
        if processor is not None:
            os.sched_setaffinity(0, {processor})
        if ends_with_us:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    return prepare


def fetch(server, port, content):
    """Waits until the server listens, and compares what it gives."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            asked = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
            asked.request("GET", "/file")
            answer = asked.getresponse()
            break
        except ConnectionRefusedError:
            if server.poll() is not None or time.monotonic() > end:
                sys.exit(f"bench: no server listens: {server.args}")
            time.sleep(0.01)
    if answer.status != 200 or answer.read() != content:
        sys.exit(f"bench: the server does not give the file: {server.args}")


def load(port, options):
    """The requests, and the seconds that they took together."""
    command = ["wrk", "-t1", f"-c{options['connections']}", f"-d{options['seconds']}s", f"http://127.0.0.1:{port}/file"]
    said = subprocess.run(command, capture_output=True, text=True, check=True,
                          preexec_fn=on(options["processor"])).stdout
    rate = re.search(r"Requests/sec: +([0-9.]+)", said)
    count = re.search(r"([0-9]+) requests in", said)
    if not rate or not count or "Non-2xx" in said or "Socket errors" in said or int(count[1]) == 0:
        sys.exit(f"bench: wrk was not answered well:\n{said}")
    return int(count[1]), int(count[1]) / float(rate[1])


def used_by_children():
    """Seconds of processor of all processes that were waited for, and of those that they waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def stop(server):
    """Ends it; the seconds of processor that it and its children have taken."""
    before = used_by_children()
    server.terminate()
    try:
        server.wait(PATIENCE)
    finally:
        server.kill()
    return used_by_children() - before


def main():
    options = {"size": 1024, "connections": 50, "seconds": 1, "processor": None, "server_processor": None}
    split = sys.argv.index("--")
    for word in sys.argv[1:split]:
        name, value = word.split("=", 1)
        assert name in options
        options[name] = int(value)
    content = os.urandom(options["size"])
    with tempfile.TemporaryDirectory(prefix="salp-bench-") as name:
        folder, port = Path(name), free_port()
        (folder / "files").mkdir()
        (folder / "files" / "file").write_bytes(content)
        command = server_command(sys.argv[split + 1:], folder, port)
        before = on(options["server_processor"], ends_with_us=True)
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=before) as server:
            try:
                fetch(server, port, content)
                first, _ = load(port, options | {"seconds": 1})
                count, seconds = load(port, options)
            finally:
                used = stop(server)
    print("request", int(1e12 * seconds / count))
    print("processor", int(1e12 * used / (1 + first + count)))


if __name__ == "__main__":
    main()
