"""The awaited task swallows the cancellation that came through its waiter: the waiter gets a value and stays counted."""
import asyncio
from kit import *


async def main(log):
    f = asyncio.get_running_loop().create_future()

    async def inner():
        try:
            await f
        except asyncio.CancelledError as e:
            log(f"t2 keeps {name(e)}")
        await turns(1)
        return "value"

    async def outer():
        log(f"t1 got {await t2}")
        await turns(1)
        log(f"t1 goes on, cancelling {asyncio.current_task().cancelling()}")
        return "end"

    t2 = asyncio.create_task(inner())
    t1 = asyncio.create_task(outer())
    await turns(2)
    t1.cancel("down")
    log(f"await t1: {await t1}, cancelling t1 {t1.cancelling()}, t2 {t2.cancelling()}")
