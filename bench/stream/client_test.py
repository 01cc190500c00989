#!/usr/bin/python3
"""client_test.py CLIENT - shows that the client finds what a server can get wrong.

Runs the client against servers that each make one mistake, and one that makes none.

SPDX-License-Identifier: MIT
"""

import asyncio
import subprocess
import sys

REQUESTS = 100  # over 4 connections of 64 bytes; the mistake comes in the middle
SIZE = 64


class Server:
    """An echo server that makes its mistake with the 50th request, counted over all connections."""

    def __init__(self, mistake):
        self.mistake = mistake
        self.seen = 0
        self.writers = []

    async def serve(self, reader, writer):
        self.writers.append(writer)
        before = None
        try:
            while True:
                data = await reader.readexactly(SIZE)
                self.seen += 1
                if self.seen >= REQUESTS // 2 and before and self.mistake not in (None, Server.late):
                    mistake, self.mistake = self.mistake, None
                    writer = mistake(self, writer, data, before) or writer
                else:
                    writer.write(data)
                before = data
        except asyncio.IncompleteReadError:
            if self.mistake is Server.late:
                writer.write(b"x")
            writer.close()

    def changed(self, writer, data, _):
        writer.write(data[:-1] + bytes([data[-1] ^ 1]))

    def crossed(self, writer, data, _):
        self.writers[self.writers.index(writer) - 1].write(data)

    def repeated(self, writer, _, before):
        writer.write(before)

    def swapped(self, writer, data, _):
        writer.write(data[32:] + data[:32])

    def doubled(self, writer, data, _):
        writer.write(data + data)

    def late(self):
        """Says something when the connection is shut down."""

    def lost(self, writer, data, _):
        writer.close()


# What the client says to each. What is too much may also be taken for an answer to the next request.
MISTAKES = {
    "none": (None, None),
    "changed": (Server.changed, "other bytes came back"),
    "crossed": (Server.crossed, "came back"),
    "repeated": (Server.repeated, "other bytes came back"),
    "swapped": (Server.swapped, "other bytes came back"),
    "doubled": (Server.doubled, "came back"),
    "late": (Server.late, "did not end after its last byte"),
    "lost": (Server.lost, "the server ended a connection"),
}


async def serve(mistake):
    server = await asyncio.start_server(Server(MISTAKES[mistake][0]).serve, "127.0.0.1", 0)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def check(client):
    failures = 0
    for name, (_, expected) in MISTAKES.items():
        command = [client, "echo", "connections=4", f"count={REQUESTS}", "times=1", "--",
                   sys.executable, __file__, "serve", name]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        fine = ended.returncode == 0 if expected is None else ended.returncode == 1 and expected in ended.stderr
        if not fine:
            failures += 1
            print(f"a server with the mistake \"{name}\": status {ended.returncode}, {ended.stderr}")
    return 1 if failures else 0


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve(sys.argv[2]))
    else:
        sys.exit(check(sys.argv[1]))
