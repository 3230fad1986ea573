"""A lock goes to its waiters in order, and to nobody who comes between a release and the waiter's turn."""
import asyncio
from kit import *


async def main(log):
    lock = asyncio.Lock()

    async def user(who, n):
        async with lock:
            log(f"{who} has the lock")
            await turns(n)
        log(f"{who} released, locked {flag(lock.locked())}")
        if who == "a":
            async with lock:
                log("a has the lock again")

    await lock.acquire()
    tasks = [asyncio.create_task(user(*c)) for c in (("a", 0), ("b", 1), ("c", 0))]
    await turns(1)
    lock.release()
    log(f"locked {flag(lock.locked())}")
    async with lock:
        log("main has the lock")
    await asyncio.wait(tasks)
    try:
        lock.release()
    except RuntimeError:
        log("refused")
