"""Waiters of a lock are cancelled: while it is held, the first in line after the release, and all at once."""
import asyncio
from kit import *


async def main(log):
    lock = asyncio.Lock()

    async def user(who):
        try:
            async with lock:
                log(f"{who} has the lock")
        except asyncio.CancelledError as e:
            log(f"{who} got {name(e)}, locked {flag(lock.locked())}")
            raise

    for case in ("held", "released", "all"):
        await lock.acquire()
        tasks = [asyncio.create_task(user(case + who)) for who in " a, b, c".split(",")]
        await turns(1)
        if case == "held":
            tasks[0].cancel()
            tasks[1].cancel()
        lock.release()
        if case != "held":
            tasks[0].cancel()
        if case == "all":
            tasks[1].cancel()
            tasks[2].cancel()
        await asyncio.wait(tasks)
        log(f"{value([state(t) for t in tasks])}, locked {flag(lock.locked())}")
