"""Chat clients on Python's asyncio.

Usage: chat.py HOST PORT FILE SIZE STRIDE CLIENTS ROOM NUMBER...

Of CLIENTS clients, ROOM in each room, those with the given NUMBERs enter. When all are in, "connected" is printed. When a
line comes in, each client says its part of FILE, line by line, while it compares what it hears with the parts of all who are
in its room; the room's own lines do not count. For each client the SHA-256 of the order in which they have spoken is
printed, in the order of the arguments. A part is SIZE bytes long, and goes on to the end of its last line; the next client's
is STRIDE bytes further on.
"""

import asyncio
import hashlib
import sys


class Rooms:
    """Who is where, and says what."""

    def __init__(self, data, size, stride, clients, room):
        self.data, self.size, self.stride, self.clients, self.room = data, size, stride, clients, room

    def speech(self, number):
        """Begin and end of a client's part."""
        start = number * self.stride % self.size
        return start, self.data.index(b"\n", start + self.size) + 1

    def greeting(self, number):
        room = f"@room {number // self.room}" if self.room < self.clients else ""
        return f"c{number}{room}\n".encode()

    def members(self, number):
        first = number - number % self.room
        return range(first, first + self.room)


async def enter(host, port, rooms, number):
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(rooms.greeting(number))
    while await reader.readline() != b"* c%d joined\n" % number:
        pass
    return reader, writer


async def talk(rooms, number, writer):
    at, end = rooms.speech(number)
    while at < end:
        after = rooms.data.index(b"\n", at) + 1
        writer.write(rooms.data[at:after])
        await writer.drain()
        at = after


async def listen(rooms, number, reader):
    unsaid = {member: rooms.speech(member) for member in rooms.members(number)}
    order = hashlib.sha256()
    left = sum(end - at for at, end in unsaid.values())
    while left:
        line = await reader.readline()
        if not line:
            raise EOFError(f"client {number}: {left} bytes are missing")
        if line.startswith(b"* "):
            continue
        name, _, text = line.partition(b": ")
        speaker = int(name[1:])
        at, end = unsaid[speaker]
        after = at + len(text)
        if not text or after > end or rooms.data[at:after] != text:
            raise ValueError(f"client {number}: heard {text} of client {speaker}")
        unsaid[speaker] = after, end
        left -= len(text)
        order.update(b"%d\n" % speaker)
    return order.hexdigest()


async def chat(rooms, number, reader, writer):
    talking = asyncio.create_task(talk(rooms, number, writer))
    order = await listen(rooms, number, reader)
    await talking
    writer.close()
    await writer.wait_closed()
    return order


async def main():
    host, port, file = sys.argv[1:4]
    size, stride, clients, room, *numbers = map(int, sys.argv[4:])
    with open(file, "rb") as f:
        rooms = Rooms(f.read(), size, stride, clients, room)
    streams = [await enter(host, int(port), rooms, number) for number in numbers]
    print("connected", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    orders = await asyncio.gather(*(chat(rooms, number, *stream) for number, stream in zip(numbers, streams)))
    print("\n".join(orders), flush=True)


asyncio.run(main())
