"""The first waiter of a lock is woken and then cancelled: the wake goes on to the next, nobody barges in."""
import asyncio
from kit import *


async def main(log):
    lock = asyncio.Lock()

    async def user(who):
        try:
            async with lock:
                log(f"{who} has the lock")
                await turns(1)
        except asyncio.CancelledError as e:
            log(f"{who} got {name(e)}")
            raise

    await lock.acquire()
    a, b = (asyncio.create_task(user(who)) for who in "ab")
    await turns(1)
    lock.release()
    log(f"released, locked {flag(lock.locked())}")
    a.cancel("too late?")
    c = asyncio.create_task(user("c"))
    await turns(1)
    log(f"locked {flag(lock.locked())}")
    await asyncio.wait([a, b, c])
    log(f"a: {state(a)}, b: {state(b)}, c: {state(c)}, locked {flag(lock.locked())}")
