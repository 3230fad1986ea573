"""A bounded semaphore refuses a release too many, also when waiters have come and gone."""
import asyncio
from kit import *


async def main(log):
    semaphore = asyncio.BoundedSemaphore(1)

    def release():
        try:
            semaphore.release()
            return "released"
        except ValueError:
            return "refused"

    async def user(who):
        await semaphore.acquire()
        log(f"{who} has the permit, locked {flag(semaphore.locked())}")

    log(release())
    await semaphore.acquire()
    t = asyncio.create_task(user("a"))
    await turns(1)
    log(f"{release()}, locked {flag(semaphore.locked())}")
    log(f"while a is about to have it: {release()}")
    await asyncio.wait([t])
    log(f"locked {flag(semaphore.locked())}")
    log(release())
