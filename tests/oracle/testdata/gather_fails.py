"""The first failure ends a gather at once; the siblings run on, and a second failure is nobody's."""
import asyncio
from kit import *


async def main(log):
    async def child(who, n):
        await turns(n)
        log(f"{who} ends")
        if who.startswith("fails"):
            raise Exception(who)
        return who

    async def waiter(g):
        try:
            log(f"value {value(await g)}")
        except Exception as e:
            log(f"error {name(e)}, gather: {state(g)}")

    g = asyncio.gather(child("a", 4), child("fails 1", 1), child("fails 2", 2), child("b", 0))
    await asyncio.gather(waiter(g), waiter(g))
    log(f"cancel {flag(g.cancel())}")
    await turns(4)
    log("end")
