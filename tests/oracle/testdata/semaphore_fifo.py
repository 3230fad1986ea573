"""Permits go to the waiters in order; while one waits the semaphore is locked, though a permit be free."""
import asyncio
from kit import *


async def main(log):
    semaphore = asyncio.Semaphore(2)

    async def user(who, n):
        async with semaphore:
            log(f"{who} has a permit, locked {flag(semaphore.locked())}")
            await turns(n)
        log(f"{who} is done, locked {flag(semaphore.locked())}")

    tasks = [asyncio.create_task(user(*c)) for c in (("a", 1), ("b", 1), ("c", 0), ("d", 2), ("e", 0))]
    await turns(1)
    await user("main", 0)
    await asyncio.wait(tasks)
    semaphore.release()
    log(f"locked {flag(semaphore.locked())}")
    for _ in range(3):
        await semaphore.acquire()
    log(f"locked {flag(semaphore.locked())}")
