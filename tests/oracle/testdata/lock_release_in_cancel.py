"""The holder of a lock is cancelled and cleans up with the lock in its hand; the next one is cancelled as it gets it."""
import asyncio
from kit import *


async def main(log):
    lock = asyncio.Lock()

    async def user(who):
        try:
            async with lock:
                log(f"{who} has the lock")
                try:
                    await turns(100)
                finally:
                    await turns(1)
                    log(f"{who} cleans up")
        except asyncio.CancelledError as e:
            log(f"{who} got {name(e)}")
            raise

    a, b, c = (asyncio.create_task(user(who)) for who in "abc")
    await turns(1)
    a.cancel("one")
    await turns(2)
    log(f"locked {flag(lock.locked())}, a: {state(a)}")
    b.cancel("two")
    await turns(2)
    log(f"locked {flag(lock.locked())}, b: {state(b)}")
    c.cancel("three")
    await asyncio.wait([a, b, c])
    log(f"locked {flag(lock.locked())}")
