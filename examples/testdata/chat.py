"""Chat clients on Python's asyncio.

Usage: chat.py HOST PORT FIRST COUNT LINES TOTAL

COUNT clients, numbered from FIRST, enter the room. When all are in, "connected" is printed. When a line comes in, each client
says LINES lines, while it reads all TOTAL lines of everybody; the room's own lines do not count. For each client the
SHA-256 of what it has read is printed, in the order of the numbers.
"""

import asyncio
import hashlib
import sys


async def enter(host, port, number):
    reader, writer = await asyncio.open_connection(host, port)
    name = f"c{number}"
    writer.write(f"{name}\n".encode())
    while await reader.readline() != f"* {name} joined\n".encode():
        pass
    return name, reader, writer


def text(number, line):
    """The text of a line: all clients, in whatever language, know each other's."""
    return f"{line} " + chr(ord("a") + number % 26) * (1000 + (37 * number + 101 * line) % 2000) + "\n"


async def talk(number, writer, lines):
    for line in range(lines):
        writer.write(text(number, line).encode())
        await writer.drain()


async def listen(reader, total):
    digest = hashlib.sha256()
    while total:
        line = await reader.readline()
        if not line:
            raise EOFError(f"{total} lines are missing")
        if not line.startswith(b"* "):
            digest.update(line)
            total -= 1
    return digest.hexdigest()


async def chat(number, reader, writer, lines, total):
    talking = asyncio.create_task(talk(number, writer, lines))
    digest = await listen(reader, total)
    await talking
    writer.close()
    await writer.wait_closed()
    return digest


async def main():
    host = sys.argv[1]
    port, first, count, lines, total = map(int, sys.argv[2:])
    clients = [await enter(host, port, first + i) for i in range(count)]
    print("connected", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    digests = await asyncio.gather(*(chat(first + i, r, w, lines, total) for i, (_, r, w) in enumerate(clients)))
    print("\n".join(digests), flush=True)


asyncio.run(main())
