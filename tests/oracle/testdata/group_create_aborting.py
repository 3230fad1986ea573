"""create_task of a group that shuts down."""
import asyncio
from kit import *


async def main(log):
    async def child():
        log("not reached")

    async def fails():
        raise Exception("boom")

    try:
        async with Group() as tg:
            tg.create_task(fails())
            try:
                await turns(100)
            except asyncio.CancelledError:
                coro = child()
                try:
                    tg.create_task(coro)
                    log("made")
                except RuntimeError:
                    log("refused")
                raise
    except ExceptionGroup as e:
        log(name(e))
