"""Echo on asyncio's own event loop or on uvloop, as a Protocol or as a task with streams for each connection.

    echo_asyncio.py PORT asyncio|uvloop protocol|streams

SIGUSR1 gives free memory back to the system and says "freed" on stdout.
"""

import asyncio
import ctypes
import gc
import signal
import sys


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


async def echo(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass  # the client is gone: it may leave in the middle of a message
    writer.close()


def free():
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    print("freed", flush=True)


async def main(port, api):
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, free)
    if api == "streams":
        server = await asyncio.start_server(echo, "127.0.0.1", port, backlog=4096)
    else:
        server = await loop.create_server(Echo, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    _, port, loops, api = sys.argv
    if loops == "uvloop":
        import uvloop

        uvloop.install()
    asyncio.run(main(int(port), api))
