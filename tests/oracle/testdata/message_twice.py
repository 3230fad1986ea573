"""Two tasks await a cancelled one: who comes second."""
import asyncio
from kit import *


async def main(log):
    async def body():
        await turns(100)

    async def waiter(who, t):
        try:
            await t
        except asyncio.CancelledError as e:
            log(f"{who} got {name(e)}")

    t = asyncio.create_task(body())
    await turns(1)
    a, b = (asyncio.create_task(waiter(who, t)) for who in "ab")
    await turns(1)
    t.cancel("stop")
    await turns(3)
    await waiter("main", t)
