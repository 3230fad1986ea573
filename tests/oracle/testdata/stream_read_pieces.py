"""Two pieces are fed before the task that waits in read has run: in how many reads they come."""
import asyncio
from kit import *


async def main(log):
    r = asyncio.StreamReader()

    async def reader():
        while data := await r.read(4):
            log(f"read {value(data)}")

    t = asyncio.create_task(reader())
    await turns(1)
    r.feed_data(b"ab")
    r.feed_data(b"cdef")
    r.feed_eof()
    await t
