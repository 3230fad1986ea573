"""The body takes back the request that its group has made, or one from outside: what the group makes of it."""
import asyncio
from kit import *


async def main(log):
    async def fails():
        await turns(1)
        raise Exception("boom")

    async def parent(outside):
        me = asyncio.current_task()
        try:
            async with Group() as tg:
                if not outside:
                    tg.create_task(fails())
                try:
                    await turns(100)
                except asyncio.CancelledError:
                    log(f"uncancel {me.uncancel()}")
                    await turns(1)
                    log("body goes on")
        except BaseException as e:
            log(f"{name(e)}, cancelling {me.cancelling()}")
        await turns(1)
        log(f"next await works, cancelling {me.cancelling()}")

    for outside in (False, True):
        t = asyncio.create_task(parent(outside))
        await turns(2)
        if outside:
            t.cancel("outside")
        await asyncio.wait([t])
        log(state(t))
