"""Echo as an asyncio Protocol, on asyncio's own event loop or on uvloop.

    echo_asyncio.py PORT [uvloop]

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


def free():
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    print("freed", flush=True)


async def main():
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, free)
    server = await loop.create_server(Echo, "127.0.0.1", int(sys.argv[1]), backlog=4096)
    await server.serve_forever()


if sys.argv[2:] == ["uvloop"]:
    import uvloop

    uvloop.install()
asyncio.run(main())
