"""The caller of wait_for is cancelled: the inner one gives up, keeps the cancellation to itself, or fails."""
import asyncio
from kit import *


async def main(log):
    async def body(who):
        try:
            await turns(100)
        except asyncio.CancelledError as e:
            log(f"{who} got {name(e)}")
            await turns(1)
            if who == "keeps":
                return "kept"
            if who == "fails":
                raise Exception("instead")
            raise

    async def outer(who, as_task):
        aw = asyncio.create_task(body(who)) if as_task else body(who)
        return await asyncio.wait_for(aw, 60)

    for who in ("gives up", "keeps", "fails"):
        for as_task in (False, True):
            t = asyncio.create_task(outer(who, as_task))
            t.add_done_callback(lambda t: log(f"outer: {state(t)}"))
            await turns(3)
            t.cancel("outside")
            await asyncio.wait([t])
            log(f"cancelling {t.cancelling()}")
