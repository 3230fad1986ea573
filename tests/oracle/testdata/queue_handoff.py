"""A getter is woken for an item and then cancelled: the item goes to the next getter and none is lost."""
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

    a, b = (asyncio.create_task(getter(who)) for who in "ab")
    await turns(1)
    q.put_nowait("item")
    a.cancel("woken")
    await turns(1)
    log(f"a: {state(a)}, b: {state(b)}, length {q.qsize()}")
    await turns(1)
    log(f"a: {state(a)}, b: {state(b)}, length {q.qsize()}")
