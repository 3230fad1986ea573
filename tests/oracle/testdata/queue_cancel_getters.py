"""Getters are cancelled before an item comes, and one after it was woken while the item was snatched."""
import asyncio
from kit import *


async def main(log):
    q = asyncio.Queue()

    async def getter(who):
        try:
            log(f"{who} got {await q.get()}")
        except asyncio.CancelledError as e:
            log(f"{who} got {name(e)}")
            raise

    a, b, c = (asyncio.create_task(getter(who)) for who in "abc")
    await turns(1)
    a.cancel("waits")
    q.put_nowait("one")
    b.cancel("woken")
    log(f"snatched {q.get_nowait()}")
    await turns(2)
    log(f"{value([state(t) for t in (a, b, c)])}")
    q.put_nowait("two")
    await c
