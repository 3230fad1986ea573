"""A task that waits in a read is cancelled: before bytes come, after it was woken, and nothing is lost."""
import asyncio
from kit import *


async def main(log):
    r = asyncio.StreamReader()

    async def reader(who, coro):
        try:
            log(f"{who} read {value(await coro)}")
        except asyncio.CancelledError as e:
            log(f"{who} got {name(e)}")
            raise

    for who, read in (("read", lambda: r.read(10)), ("exactly", lambda: r.readexactly(3)), ("until", lambda: r.readuntil(b";"))):
        t = asyncio.create_task(reader(who, read()))
        await turns(1)
        t.cancel("waits")
        r.feed_data(b"ab;")
        await turns(2)
        log(f"{state(t)}, left {value(await r.read(10))}")
        t = asyncio.create_task(reader(who, read()))
        await turns(1)
        r.feed_data(b"cd;")
        t.cancel("woken")
        await turns(2)
        log(f"{state(t)}, left {value(await r.read(10))}")
