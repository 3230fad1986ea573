"""Putters are cancelled: in the wait, and after one was woken for a place, which goes to the next."""
import asyncio
from kit import *


async def main(log):
    q = asyncio.Queue(1)

    async def putter(who):
        try:
            await q.put(who)
            log(f"{who} put")
        except asyncio.CancelledError as e:
            log(f"{who} got {name(e)}, length {q.qsize()}")
            raise

    await q.put("first")
    a, b, c = (asyncio.create_task(putter(who)) for who in "abc")
    await turns(1)
    a.cancel("waits")
    await turns(1)
    log(f"got {q.get_nowait()}")
    b.cancel("woken")
    await turns(3)
    log(f"{value([state(t) for t in (a, b, c)])}, got {await q.get()}, length {q.qsize()}")
