"""A task cancels itself: awaits that do not suspend pass, the first one that does is interrupted, a return is lost."""
import asyncio
from kit import *


async def main(log):
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    ready.set_result("ready")

    async def suspends():
        asyncio.current_task().cancel("me")
        log(f"suspends: got {await ready}")
        try:
            await turns(1)
        except asyncio.CancelledError as e:
            log(f"suspends: got {name(e)}")
        await turns(1)
        log("suspends: goes on")
        return 1

    async def returns():
        asyncio.current_task().cancel("me")
        log(f"returns: got {await ready}")
        return 12

    async def fails():
        asyncio.current_task().cancel("me")
        raise Exception("boom")

    for coro in (suspends, returns, fails):
        t = asyncio.create_task(coro())
        try:
            log(f"result {await t}")
        except BaseException as e:
            log(f"main got {name(e)}")
        log(f"task: {state(t)}, cancelling {t.cancelling()}")
