"""wait_for without time: of a failed future and a cancelled one, and cancelled while the inner task cleans up."""
import asyncio
from kit import *


async def main(log):
    async def attempt(fut):
        try:
            log(f"value {await asyncio.wait_for(fut, 0)}")
        except BaseException as e:
            log(f"error {name(e)}")

    async def body():
        try:
            await turns(100)
        finally:
            log("body cleans up")
            try:
                await turns(3)
            except asyncio.CancelledError as e:
                log(f"again {name(e)}")
                raise
            log("body ends")

    failed, gone = future(), future()
    failed.set_exception(Exception("boom"))
    gone.cancel("gone")
    await attempt(failed)
    await attempt(gone)
    inner = asyncio.create_task(body())
    await turns(1)
    outer = asyncio.create_task(attempt(inner))
    await turns(2)
    log(f"cancel {flag(outer.cancel('outside'))}, inner cancelling {inner.cancelling()}")
    await turns(5)
    log(f"outer: {state(outer)}, inner: {state(inner)}, cancelling {outer.cancelling()}")
