"""Several children of a group fail: at once, in their clean-up, or with a cancellation, which is no failure."""
import asyncio
from kit import *


async def main(log):
    async def child(who, n):
        try:
            await turns(n)
            raise Exception(who)
        except asyncio.CancelledError as e:
            log(f"{who} got {name(e)}")
            if who == "clean-up":
                await turns(2)
                raise Exception(who)
            raise

    try:
        async with Group() as tg:
            tasks = [tg.create_task(child(*c)) for c in (("one", 1), ("two", 1), ("clean-up", 100), ("cancelled", 100))]
            await turns(100)
    except ExceptionGroup as e:
        log(f"{name(e)}, cancelling {asyncio.current_task().cancelling()}")
    log(value([state(t) for t in tasks]))
