"""A task that keeps its cancellation to itself goes on, counted; later timeouts and groups still work for it."""
import asyncio
from kit import *


async def main(log):
    async def child():
        await turns(1)
        raise Exception("boom")

    async def body():
        me = asyncio.current_task()
        try:
            await turns(100)
        except asyncio.CancelledError as e:
            log(f"kept {name(e)}, cancelling {me.cancelling()}")
        try:
            async with asyncio.timeout(0):
                await turns(100)
        except TimeoutError as e:
            log(f"{name(e)}, cancelling {me.cancelling()}")
        await turns(1)
        async with Group() as tg:
            tg.create_task(turns(2))
        log(f"group ends, cancelling {me.cancelling()}")
        try:
            async with Group() as tg:
                tg.create_task(child())
                await turns(100)
        except BaseException as e:
            log(f"{name(e)}, cancelling {me.cancelling()}")
        try:
            await turns(1)
        except asyncio.CancelledError as e:
            log(f"next await got {name(e)}, cancelling {me.cancelling()}")
        return "end"

    t = asyncio.create_task(body())
    await turns(1)
    t.cancel("old")
    log(f"value {await t}, cancelling {t.cancelling()}")
