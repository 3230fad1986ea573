"""A coroutine that is shielded runs on as a task of its own after its waiter was cancelled."""
import asyncio
from kit import *


async def main(log):
    async def inner():
        log("inner starts")
        await turns(3)
        log("inner ends")

    async def waiter():
        try:
            await asyncio.shield(inner())
        finally:
            log("waiter ends")

    t = asyncio.create_task(waiter())
    await turns(1)
    t.cancel()
    log(f"{len(asyncio.all_tasks())} tasks")
    await turns(2)
    log(f"{len(asyncio.all_tasks())} tasks, waiter: {state(t)}")
    await turns(4)
    log(f"{len(asyncio.all_tasks())} tasks")
