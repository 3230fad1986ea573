"""The awaited future fails and then the task is cancelled, or the other way round: the cancellation is what it gets."""
import asyncio
from kit import *


async def main(log):
    async def body(f):
        try:
            await f
        except BaseException as e:
            log(f"body got {name(e)}")
            raise

    for order in ("fail cancel", "cancel fail", "fail"):
        f = future()
        t = asyncio.create_task(body(f))
        t.add_done_callback(lambda t: log(f"done: {state(t)}"))
        await turns(1)
        for what in order.split():
            if what == "cancel":
                log(f"cancel {flag(t.cancel('late'))}")
            else:
                try:
                    f.set_exception(Exception("boom"))
                except asyncio.InvalidStateError as e:
                    log(f"set_exception: {name(e)}")
        await turns(3)
        log(f"{order}: {state(t)}, future: {state(f)}")
