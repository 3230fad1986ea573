"""A child of a task group times out and says nothing, or lets the error out and ends its group."""
import asyncio
from kit import *


async def main(log):
    me = asyncio.current_task()

    async def child(keeps):
        await turns(1)
        try:
            async with asyncio.timeout(0):
                await turns(100)
        except TimeoutError:
            log(f"child timed out, cancelling {asyncio.current_task().cancelling()}")
            if not keeps:
                raise

    for keeps in (True, False):
        try:
            async with Group() as tg:
                tg.create_task(child(keeps))
                await turns(5)
                log("body ends")
        except BaseException as e:
            log(f"{name(e)}, cancelling {me.cancelling()}")
