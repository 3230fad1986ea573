"""Waiters of a semaphore are cancelled before and after they were given their permit: none is lost."""
import asyncio
from kit import *


async def main(log):
    semaphore = asyncio.Semaphore(1)

    async def user(who):
        try:
            await semaphore.acquire()
            log(f"{who} has a permit")
        except asyncio.CancelledError as e:
            log(f"{who} got {name(e)}, locked {flag(semaphore.locked())}")
            raise

    for case in ("before", "after", "both"):
        await semaphore.acquire()
        tasks = [asyncio.create_task(user(f"{case} {who}")) for who in "ab"]
        await turns(1)
        if case != "after":
            tasks[0].cancel()
        semaphore.release()
        if case == "after":
            tasks[0].cancel()
        if case == "both":
            tasks[1].cancel()
        await asyncio.wait(tasks)
        log(f"{value([state(t) for t in tasks])}, locked {flag(semaphore.locked())}")
        if case != "both":
            semaphore.release()
    log(f"locked {flag(semaphore.locked())}")
