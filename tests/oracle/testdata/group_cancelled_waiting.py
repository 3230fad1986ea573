"""The parent is cancelled, twice, while its group waits for the children to clean up."""
import asyncio
from kit import *


async def main(log):
    async def child():
        try:
            await turns(100)
        except asyncio.CancelledError as e:
            log(f"child got {name(e)}, cancelling {asyncio.current_task().cancelling()}")
        await turns(5)
        log("child ends")

    async def parent():
        async with Group() as tg:
            tg.create_task(child())
            log("body ends")
        log("not reached")

    t = asyncio.create_task(parent())
    t.add_done_callback(lambda t: log(f"parent: {state(t)}"))
    await turns(2)
    log(f"cancel {flag(t.cancel('first'))}")
    await turns(2)
    log(f"cancel {flag(t.cancel('second'))}, cancelling {t.cancelling()}")
    try:
        await t
    except asyncio.CancelledError as e:
        log(f"main got {name(e)}, cancelling {t.cancelling()}")
