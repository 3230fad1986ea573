"""A gather is cancelled between the end of its last child and its own: too late, and when one child still runs."""
import asyncio
from kit import *


async def main(log):
    async def child(who, f):
        try:
            return await f
        finally:
            log(f"{who} ends")

    for last in (False, True):
        f, h = future(), future()
        a, b = asyncio.create_task(child("a", f)), asyncio.create_task(child("b", h))
        g = asyncio.gather(a, b)
        g.add_done_callback(lambda g: log("gather done"))
        await turns(1)
        f.set_result("one")
        if last:
            h.set_result("two")
        await turns(1)
        log(f"a: {state(a)}, b: {state(b)}, gather: {state(g)}")
        log(f"cancel {flag(g.cancel('late'))}")
        try:
            log(f"value {value(await g)}")
        except asyncio.CancelledError as e:
            log(f"main got {name(e)}, b: {state(b)}")
