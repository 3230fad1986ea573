"""Eager tasks take a lock, a permit and an item before tasks that were made earlier."""
import asyncio
from kit import *


async def main(log):
    lock, semaphore, queue = asyncio.Lock(), asyncio.Semaphore(1), asyncio.Queue()
    queue.put_nowait("item")

    async def user(who):
        async with lock:
            log(f"{who} has the lock")
            await turns(1)
        async with semaphore:
            log(f"{who} has the permit")
        if not queue.empty():
            log(f"{who} got {await queue.get()}")

    a = asyncio.create_task(user("early"))
    b = eager(user("eager"))
    c = eager(user("second"))
    log(f"locked {flag(lock.locked())}")
    await asyncio.wait([a, b, c])
    log(f"locked {flag(lock.locked())}")
