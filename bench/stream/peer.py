#!/usr/bin/python3
"""The peer in Python: an echo server on asyncio, with the calls below its streams, which are the faster ones.

    peer.py echo buffer=4096

What an echo server does is told in server.h.

SPDX-License-Identifier: MIT
"""

import asyncio
import platform
import sys


class Echo(asyncio.BufferedProtocol):
    """One connection. The transport keeps what the socket does not take, and says when that is too much."""

    size = 4096

    def connection_made(self, transport):
        self.transport = transport  # without delay, as all of asyncio's
        self.buffer = memoryview(bytearray(self.size))
        transport.set_write_buffer_limits(high=0)  # so the buffer is free again before it is read into

    def get_buffer(self, _):
        return self.buffer

    def buffer_updated(self, size):
        self.transport.write(self.buffer[:size])

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


async def echo(size):
    Echo.size = size
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0, backlog=1024)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main():
    if sys.argv[1] == "about":
        print("Python", platform.python_version())
        return
    assert sys.argv[1] == "echo"
    options = dict(word.split("=", 1) for word in sys.argv[2:])
    asyncio.run(echo(int(options.pop("buffer", 4096))))
    assert not options


if __name__ == "__main__":
    main()
