"""An eager child cancels its parent, or aborts its group by a failing sibling, before the group has heard of the child."""
import asyncio
from kit import *


async def main(log):
    me = asyncio.current_task()

    async def cancels():
        me.cancel("by child")
        try:
            await turns(2)
            log("child ends")
        except asyncio.CancelledError as e:
            log(f"child got {name(e)}")
            raise

    try:
        async with Group() as tg:
            with eager_factory():
                t = tg.create_task(cancels())
            log(f"child: {state(t)}, cancelling {me.cancelling()}")
            await turns(1)
            log("not reached")
    except asyncio.CancelledError as e:
        log(f"{name(e)}, cancelling {me.cancelling()}, uncancel {me.uncancel()}")
    log(f"child: {state(t)}")
