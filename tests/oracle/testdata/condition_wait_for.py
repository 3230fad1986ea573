"""wait_for of a condition: true at once, after wake-ups in vain, and cancelled."""
import asyncio
from kit import *


async def main(log):
    condition, n = asyncio.Condition(), 0

    def enough(limit):
        log(f"asked for {limit}: {n}")
        return n >= limit

    async def waiter(limit):
        async with condition:
            try:
                await condition.wait_for(lambda: enough(limit))
                log(f"{limit} reached")
            except asyncio.CancelledError as e:
                log(f"{limit} got {name(e)}")
                raise

    tasks = [asyncio.create_task(waiter(limit)) for limit in (0, 2, 1, 9)]
    await turns(1)
    for _ in range(2):
        async with condition:
            n += 1
            condition.notify_all()
        await turns(6)
    tasks[3].cancel("never")
    await asyncio.wait(tasks)
    log(value([state(t) for t in tasks]))
