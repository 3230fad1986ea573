"""A cancelled shield lets its inner task run on; a cancelled inner task cancels its shield."""
import asyncio
from kit import *


async def main(log):
    async def inner(who):
        try:
            await turns(4)
            log(f"{who} ends")
            return who
        except asyncio.CancelledError as e:
            log(f"{who} got {name(e)}")
            raise

    async def waiter(who):
        try:
            log(f"waiter got {await asyncio.shield(tasks[who])}")
        except asyncio.CancelledError as e:
            log(f"waiter of {who} got {name(e)}, {who}: {state(tasks[who])}")
            raise

    tasks = {who: asyncio.create_task(inner(who)) for who in ("kept", "hit")}
    waiters = {who: asyncio.create_task(waiter(who)) for who in tasks}
    await turns(2)
    log(f"cancel waiter of kept: {flag(waiters['kept'].cancel('outer'))}")
    log(f"cancel hit: {flag(tasks['hit'].cancel('inner'))}")
    await turns(3)
    log(f"waiters: {state(waiters['kept'])} {state(waiters['hit'])}")
    await turns(2)
    log(f"inner: {state(tasks['kept'])} {state(tasks['hit'])}")
