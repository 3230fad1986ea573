"""The inner task fails after its shield was cancelled: nobody else can tell of it."""
import asyncio
from kit import *


async def main(log):
    async def inner():
        await turns(4)
        log("inner fails")
        raise Exception("boom")

    async def waiter(t):
        await asyncio.shield(t)

    t = asyncio.create_task(inner())
    w = asyncio.create_task(waiter(t))
    await turns(2)
    w.cancel()
    await turns(6)
    log("end")
    log(f"inner: {state(t)}, waiter: {state(w)}")
