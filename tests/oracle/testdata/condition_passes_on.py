"""A waiter that was notified and is cancelled passes the notification on, before it has the lock and while it waits for it."""
import asyncio
from kit import *


async def main(log):
    condition = asyncio.Condition()

    async def waiter(who):
        async with condition:
            try:
                await condition.wait()
                log(f"{who} woken")
            except asyncio.CancelledError as e:
                log(f"{who} got {name(e)}")
                raise

    for late in (0, 2):
        a, b, c = (asyncio.create_task(waiter(who)) for who in "abc")
        await turns(1)
        async with condition:
            condition.notify(1)
            await turns(late)
            a.cancel("too late?")
            log("cancelled")
        await turns(6)
        log(value([state(t) for t in (a, b, c)]))
        async with condition:
            condition.notify_all()
        await asyncio.wait([a, b, c])
