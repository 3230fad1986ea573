"""A cancelled gather ends with its first cancelled child; return_exceptions waits for all and is cancelled all the same."""
import asyncio
from kit import *


async def main(log):
    async def child(who, cleanup):
        try:
            await turns(100)
        finally:
            log(f"{who} cleans up")
            await turns(cleanup)
            log(f"{who} ends")

    async def waiter(g):
        try:
            log(f"value {value(await g)}")
        except asyncio.CancelledError as e:
            log(f"waiter got {name(e)}")
            raise

    for collect in (False, True):
        log(f"return_exceptions: {flag(collect)}")
        g = asyncio.gather(child("quick", 0), child("slow", 4), return_exceptions=collect)
        g.add_done_callback(lambda g: log("gather done"))
        t = asyncio.create_task(waiter(g))
        await turns(2)
        t.cancel("enough")
        log(f"gather: {state(g)}, task: {state(t)}")
        await turns(10)
        log(f"gather cancelled {flag(g.cancelled())}, task: {state(t)}")
        log(f"cancel gather: {flag(g.cancel())}")
