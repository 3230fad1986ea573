"""The body of a group keeps the group's interruption to itself and goes on; its next awaits work."""
import asyncio
from kit import *


async def main(log):
    me = asyncio.current_task()

    async def fails():
        await turns(1)
        raise Exception("boom")

    try:
        async with Group() as tg:
            tg.create_task(fails())
            try:
                await turns(100)
            except asyncio.CancelledError as e:
                log(f"kept {name(e)}, cancelling {me.cancelling()}")
            await turns(2)
            log("body ends")
    except ExceptionGroup as e:
        log(f"{name(e)}, cancelling {me.cancelling()}")
    await turns(1)
    try:
        async with Group() as tg:
            tg.create_task(fails())
            try:
                await turns(100)
            except asyncio.CancelledError:
                raise Exception("instead")
    except ExceptionGroup as e:
        log(f"{name(e)}, cancelling {me.cancelling()}")
