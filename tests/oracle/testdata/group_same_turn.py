"""A child's failure and a cancellation of the parent in one turn, in both orders."""
import asyncio
from kit import *


async def main(log):
    async def fails(f):
        await f
        raise Exception("boom")

    async def parent(f):
        me = asyncio.current_task()
        try:
            async with Group() as tg:
                tg.create_task(fails(f))
                try:
                    await turns(100)
                except asyncio.CancelledError as e:
                    log(f"body got {name(e)}, cancelling {me.cancelling()}")
                    raise
        except BaseException as e:
            log(f"{name(e)}, cancelling {me.cancelling()}")
        try:
            await turns(1)
            log("next await works")
        except asyncio.CancelledError as e:
            log(f"next await got {name(e)}, cancelling {me.cancelling()}")

    for late in (0, 1, 2, 3):
        f = future()
        t = asyncio.create_task(parent(f))
        await turns(3)
        f.set_result(None)
        await turns(late)
        log(f"after {late}: cancel {flag(t.cancel('outside'))}")
        await asyncio.wait([t])
        log(f"{state(t)}, cancelling {t.cancelling()}")
