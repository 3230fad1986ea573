"""Echo clients on Python's asyncio.

Usage: echo.py HOST PORT FILE FIRST COUNT STRIDE GREETING DIALS

COUNT clients, numbered from FIRST, connect, at most DIALS at a time. Each sends a part of its own of FILE, which is twice
as long as a part, and compares what comes back. The first GREETING bytes show that the server has accepted the client. When
all have done that, "connected" is printed; the rest follows when a line comes in. "done" is printed in the end.
"""

import asyncio
import sys

CHUNK = 64 << 10


async def expect(reader, want):
    at = 0
    while at < len(want):
        got = await reader.read(min(CHUNK, len(want) - at))
        if not got:
            raise EOFError(f"after {at} of {len(want)} bytes")
        if got != want[at : at + len(got)]:
            raise ValueError(f"the echo differs between bytes {at} and {at + len(got)}")
        at += len(got)


async def send(writer, data):
    for at in range(0, len(data), CHUNK):
        writer.write(data[at : at + CHUNK])
        await writer.drain()
    writer.write_eof()


async def connect(host, port, greeting, dials):
    async with dials:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(greeting)
        await expect(reader, greeting)
        return reader, writer


async def exchange(reader, writer, rest):
    sending = asyncio.create_task(send(writer, rest))
    await expect(reader, rest)
    await sending
    if more := await reader.read():
        raise ValueError(f"{len(more)} bytes after the last one")
    writer.close()
    await writer.wait_closed()


async def main():
    host, file = sys.argv[1], sys.argv[3]
    port, first, count, stride, greeting, dials = map(int, sys.argv[2:3] + sys.argv[4:])
    with open(file, "rb") as f:
        data = memoryview(f.read())
    size = len(data) // 2
    starts = [i * stride % size for i in range(first, first + count)]
    parts = [data[start : start + size] for start in starts]

    dials = asyncio.Semaphore(dials)
    streams = await asyncio.gather(*(connect(host, port, part[:greeting], dials) for part in parts))
    print("connected", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await asyncio.gather(*(exchange(r, w, part[greeting:]) for (r, w), part in zip(streams, parts)))
    print("done", flush=True)


asyncio.run(main())
