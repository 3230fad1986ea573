"""A gather whose one child was given twice is cancelled: how many requests the child gets."""
import asyncio
from kit import *


async def main(log):
    async def child():
        try:
            await turns(100)
        except asyncio.CancelledError:
            log(f"child interrupted, cancelling {asyncio.current_task().cancelling()}")
            raise

    t = asyncio.create_task(child())
    g = asyncio.gather(t, t)
    await turns(1)
    log(f"cancel {flag(g.cancel())}, cancelling {t.cancelling()}")
    await turns(3)
    log(f"gather: {name(g.exception())}, child: {state(t)}")
