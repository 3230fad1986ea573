"""A request from outside is taken back before the timed body ends: then it was the time after all."""
import asyncio
from kit import *


async def main(log):
    async def body(uncancel):
        me = asyncio.current_task()
        scope = asyncio.timeout(None)
        try:
            async with scope:
                try:
                    await turns(100)
                except asyncio.CancelledError:
                    log(f"interrupted, cancelling {me.cancelling()}")
                    scope.reschedule(-1)
                    try:
                        await turns(1)
                    finally:
                        if uncancel:
                            me.uncancel()
                        log(f"again, cancelling {me.cancelling()}")
        except BaseException as e:
            log(f"{name(e)}, cancelling {me.cancelling()}")

    for uncancel in (False, True):
        t = asyncio.create_task(body(uncancel))
        await turns(2)
        t.cancel("outside")
        await turns(4)
        log(f"{state(t)}")
