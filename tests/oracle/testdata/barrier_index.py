"""The numbers that a barrier gives after a waiter was cancelled."""
import asyncio
from kit import *


async def main(log):
    barrier = asyncio.Barrier(3)

    async def party(who):
        log(f"{who} is number {await barrier.wait()}")

    a, b = (asyncio.create_task(party(who)) for who in "ab")
    await turns(1)
    a.cancel()
    await turns(1)
    others = [asyncio.create_task(party(who)) for who in "cd"]
    await asyncio.wait([b] + others)
