"""notify wakes in order, each one gets the lock in its turn; notify of more than wait is no credit."""
import asyncio
from kit import *


async def main(log):
    condition = asyncio.Condition()

    async def waiter(who):
        async with condition:
            await condition.wait()
            log(f"{who} woken, locked {flag(condition.locked())}")
            await turns(1)

    tasks = [asyncio.create_task(waiter(who)) for who in "abcd"]
    await turns(1)
    async with condition:
        condition.notify(2)
        log("notified 2")
        await turns(2)
        log("main lets go")
    await turns(5)
    log(value([state(t) for t in tasks]))
    async with condition:
        condition.notify(10)
    await asyncio.wait(tasks)
    tasks = [asyncio.create_task(waiter(who)) for who in "ef"]
    await turns(4)
    log(value([state(t) for t in tasks]))
    async with condition:
        condition.notify_all()
    await asyncio.wait(tasks)
    for call in (condition.notify, condition.notify_all):
        try:
            call()
        except RuntimeError:
            log("refused")
