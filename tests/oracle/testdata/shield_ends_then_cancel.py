"""The inner one has ended, the shield has not: the waiter is cancelled in that turn, or the outer future itself."""
import asyncio
from kit import *


async def main(log):
    async def inner(f):
        return await f

    async def waiter(outer):
        try:
            log(f"waiter got {await outer}")
        except asyncio.CancelledError as e:
            log(f"waiter got {name(e)}")
            raise

    for late in (0, 1):
        f = future()
        i = asyncio.create_task(inner(f))
        outer = asyncio.shield(i)
        w = asyncio.create_task(waiter(outer))
        await turns(2)
        f.set_result("value")
        await turns(1 + late)
        log(f"inner: {state(i)}, outer: {state(outer)}, cancel {flag(w.cancel('late'))}")
        await turns(3)
        log(f"outer: {state(outer)}, waiter: {state(w)}")
