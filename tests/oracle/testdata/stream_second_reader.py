"""A second task reads while one waits."""
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
    await reader("b", 4)
    r.feed_data(b"1234")
    await a
    await reader("c", 0)
