"""An eager child of a task group fails inside create_task: the body is interrupted at its next await, not there."""
import asyncio
from kit import *


async def main(log):
    async def fails():
        raise Exception("boom")

    async def sibling():
        try:
            await turns(100)
        finally:
            log("sibling ends")

    try:
        async with Group() as tg:
            tg.create_task(sibling())
            with eager_factory():
                t = tg.create_task(fails())
            log(f"body goes on: {state(t)}, cancelling {asyncio.current_task().cancelling()}")
            try:
                await turns(1)
                log("body suspends once")
                await turns(1)
                log("not reached")
            except asyncio.CancelledError:
                log(f"body interrupted, cancelling {asyncio.current_task().cancelling()}")
                raise
    except ExceptionGroup as e:
        log(f"{name(e)}, cancelling {asyncio.current_task().cancelling()}")
