"""A child of a group that is cancelled, or raises CancelledError itself, ends alone."""
import asyncio
from kit import *


async def main(log):
    async def child(who, n):
        if who == "raises":
            raise asyncio.CancelledError("own")
        await turns(n)
        log(f"{who} ends")
        return who

    async with Group() as tg:
        a, b, c = (tg.create_task(child(*c)) for c in (("a", 3), ("b", 100), ("raises", 0)))
        await turns(1)
        log(f"cancel {flag(b.cancel('b only'))}")
        await turns(1)
        log("body ends")
    log(f"{value([state(t) for t in (a, b, c)])}, cancelling {asyncio.current_task().cancelling()}")
    async with Group() as tg:
        a = tg.create_task(child("late", 4))
        asyncio.get_running_loop().call_soon(a.cancel)
    log(f"{state(a)}, cancelling {asyncio.current_task().cancelling()}")
