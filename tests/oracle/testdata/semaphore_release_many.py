"""Several permits are released at once: as many waiters go on in one turn, and a new one comes after them."""
import asyncio
from kit import *


async def main(log):
    semaphore = asyncio.Semaphore(0)

    async def user(who):
        await semaphore.acquire()
        log(f"{who} has a permit")

    tasks = [asyncio.create_task(user(who)) for who in "abc"]
    await turns(1)
    for _ in range(2):
        semaphore.release()
    log(f"locked {flag(semaphore.locked())}")
    tasks.append(asyncio.create_task(user("late")))
    await turns(3)
    log(value([state(t) for t in tasks]))
    semaphore.release()
    semaphore.release()
    semaphore.release()
    await asyncio.wait(tasks)
    log(f"locked {flag(semaphore.locked())}")
