"""run_coroutine_threadsafe: a value, an error, and both ends of a cancellation, seen from the loop."""
import asyncio
from kit import *


async def main(log):
    loop = asyncio.get_running_loop()

    async def body(who):
        try:
            await turns(2)
        except asyncio.CancelledError:
            log(f"{who} interrupted")
            raise
        if who == "fails":
            raise Exception("boom")
        if who == "cancels itself":
            asyncio.current_task().cancel()
            await turns(1)
        return who

    for who in ("ends", "fails", "cancels itself"):
        try:
            log(f"value {await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(body(who), loop))}")
        except BaseException as e:
            log(f"error {name(e)}")
    f = asyncio.run_coroutine_threadsafe(body("cancelled"), loop)
    await turns(3)
    log(f"cancel {flag(f.cancel())}, done {flag(f.done())}, cancelled {flag(f.cancelled())}")
    await turns(3)
    f = asyncio.run_coroutine_threadsafe(body("wrapped"), loop)
    w = asyncio.wrap_future(f)
    await turns(3)
    w.cancel()
    await turns(5)
    log(f"cancelled {flag(f.cancelled())}")
