"""An item is snatched from under a getter that was woken for it: the getter waits again, at the end of the line."""
import asyncio
from kit import *


async def main(log):
    q = asyncio.Queue()

    async def getter(who):
        log(f"{who} got {await q.get()}")

    tasks = [asyncio.create_task(getter(who)) for who in "ab"]
    await turns(1)
    q.put_nowait("one")
    log(f"snatched {q.get_nowait()}")
    await turns(1)
    q.put_nowait("two")
    q.put_nowait("three")
    await asyncio.wait(tasks)
