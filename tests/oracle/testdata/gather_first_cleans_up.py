"""A failed gather is cancelled no more: its waiter is, and the siblings of the failure run on."""
import asyncio
from kit import *


async def main(log):
    async def fails():
        raise Exception("boom")

    async def sibling():
        try:
            await turns(4)
            log("sibling ends")
        except asyncio.CancelledError:
            log("sibling cancelled")
            raise

    async def waiter():
        try:
            await asyncio.gather(fails(), sibling())
        except Exception as e:
            log(f"waiter got {name(e)}")
            await turns(1)
            log("not reached")

    t = asyncio.create_task(waiter())
    await turns(4)
    log(f"cancel {flag(t.cancel())}")
    await turns(6)
    log(f"waiter: {state(t)}")
