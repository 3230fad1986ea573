"""readexactly waits for the last of its bytes, and tells what there was if the stream ends before."""
import asyncio
from kit import *


async def main(log):
    r = asyncio.StreamReader()

    async def reader(n):
        try:
            log(f"read {value(await r.readexactly(n))}")
        except asyncio.IncompleteReadError as e:
            log(f"{name(e)} of {e.expected}")

    t = asyncio.create_task(reader(5))
    await turns(1)
    for piece in (b"ab", b"cd", b"ef"):
        r.feed_data(piece)
        log(f"fed, reader: {state(t)}")
        await turns(2)
    log(f"reader: {state(t)}")
    await reader(0)
    await reader(1)
    t = asyncio.create_task(reader(3))
    await turns(1)
    r.feed_data(b"x")
    r.feed_eof()
    log("end")
    await t
    await reader(2)
    await reader(0)
