"""A group's child fails in the clean-up of a cancellation from outside: the group is raised and the next await is cancelled."""
import asyncio
from kit import *


async def main(log):
    async def child():
        try:
            await turns(100)
        finally:
            log("child fails")
            raise Exception("boom")

    async def parent():
        me = asyncio.current_task()
        try:
            async with asyncio.TaskGroup() as tg:
                tg.create_task(child())
                await turns(100)
        except ExceptionGroup as e:
            log(f"{name(e)}, cancelling {me.cancelling()}")
        try:
            await turns(1)
            log("not reached")
        except asyncio.CancelledError as e:
            log(f"next await: {name(e)}, cancelling {me.cancelling()}")
        await turns(1)
        log("the await after it works")

    t = asyncio.create_task(parent())
    t.add_done_callback(lambda t: log(f"parent done: {state(t)}"))
    await turns(3)
    t.cancel("outside")
    await turns(8)
    log(f"cancelling {t.cancelling()}")
