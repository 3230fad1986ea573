"""A waiter of a condition is cancelled: it has the lock again before the error comes out, however often it is cancelled."""
import asyncio
from kit import *


async def main(log):
    condition = asyncio.Condition()

    async def waiter():
        async with condition:
            try:
                await condition.wait()
            except asyncio.CancelledError as e:
                log(f"waiter got {name(e)}, locked {flag(condition.locked())}")
                raise

    t = asyncio.create_task(waiter())
    await turns(1)
    await condition.acquire()
    t.cancel("first")
    await turns(2)
    log(f"waiter: {state(t)}")
    t.cancel("second")
    await turns(2)
    log(f"waiter: {state(t)}, cancelling {t.cancelling()}")
    condition.release()
    await turns(3)
    log(f"waiter: {state(t)}, locked {flag(condition.locked())}")
