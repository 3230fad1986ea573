"""Servers on asyncio's own event loop or on uvloop.

    echo_asyncio.py PLACE asyncio|uvloop protocol|streams [CERT KEY]
    echo_asyncio.py PLACE asyncio|uvloop datagram
    echo_asyncio.py PLACE asyncio file FILE

PLACE is a port on the loopback interface or, with a slash, the path of a Unix socket. The first three send back what comes,
as a Protocol, as a task with streams for each connection, both over TLS if there is a certificate, or as a DatagramProtocol.
With file every byte is answered with FILE by loop.sendfile, which uvloop does not have.
SIGUSR1 gives free memory back to the system and says "freed" on stdout.
"""

import asyncio
import ctypes
import gc
import signal
import ssl
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


class EchoDatagrams(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.transport.sendto(data, addr)


async def echo(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass  # the client is gone: it may leave in the middle of a message
    writer.close()


def answer_with(name):
    async def answer(reader, writer):
        loop = asyncio.get_running_loop()
        try:
            with open(name, "rb") as file:
                while await reader.read(1):
                    await loop.sendfile(writer.transport, file, fallback=False)
        except ConnectionError:
            pass
        writer.close()

    return answer


def tls(cert, key):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    return context


def free():
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    print("freed", flush=True)


async def start(place, api, args):
    loop = asyncio.get_running_loop()
    path = place if "/" in place else None
    address = {"path": path} if path else {"host": "127.0.0.1", "port": int(place)}
    if api == "datagram":
        return await loop.create_datagram_endpoint(EchoDatagrams, local_addr=("127.0.0.1", int(place)))
    address["ssl"] = tls(*args) if args and api != "file" else None
    if api == "protocol":
        create = loop.create_unix_server if path else loop.create_server
        return await create(Echo, **address, backlog=4096)
    create = asyncio.start_unix_server if path else asyncio.start_server
    handler = answer_with(*args) if api == "file" else echo
    return await create(handler, **address, backlog=4096)


async def main(place, api, args):
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, free)
    server = await start(place, api, args)  # held, so that it lives
    await loop.create_future()
    return server


if __name__ == "__main__":
    _, place, loops, api, *args = sys.argv
    if loops == "uvloop":
        import uvloop

        uvloop.install()
    asyncio.run(main(place, api, args))
