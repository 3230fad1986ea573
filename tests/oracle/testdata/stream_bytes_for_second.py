"""Bytes are there and one task waits for more of them, when a second task asks for few."""
import asyncio
from kit import *


async def main(log):
    r = asyncio.StreamReader()

    async def reader(who, n):
        try:
            log(f"{who} read {value(await r.readexactly(n))}")
        except RuntimeError:
            log(f"{who} refused")

    a = asyncio.create_task(reader("a", 4))
    await turns(1)
    r.feed_data(b"12")
    await turns(2)
    await reader("b", 2)
    r.feed_data(b"3456")
    await a
