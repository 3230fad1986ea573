"""A child of a task group fails: body and siblings are interrupted once, and the group's own request is taken back."""
import asyncio
from kit import *


async def main(log):
    me = asyncio.current_task()

    async def fails():
        await turns(1)
        raise Exception("boom")

    async def sibling():
        try:
            await turns(100)
        finally:
            log("sibling cleans up")
            await turns(2)
            log("sibling ends")

    try:
        async with asyncio.TaskGroup() as tg:
            tg.create_task(fails())
            tg.create_task(sibling())
            try:
                await turns(100)
            except asyncio.CancelledError:
                log(f"body interrupted, cancelling {me.cancelling()}")
                await turns(1)
                log("body cleaned up")
                raise
    except ExceptionGroup as e:
        log(f"{name(e)}, cancelling {me.cancelling()}")
    await turns(1)
    log("next await works")
