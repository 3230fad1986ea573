"""A second cancellation interrupts the clean-up that the first one started; a third comes in a clean-up of that one."""
import asyncio
from kit import *


async def main(log):
    f, g, h = (asyncio.get_running_loop().create_future() for _ in range(3))

    async def body():
        try:
            await f
        finally:
            log("cleanup 1")
            try:
                await g
            finally:
                log("cleanup 2")
                try:
                    await h
                except asyncio.CancelledError as e:
                    log(f"kept {name(e)}")
                await turns(2)
                log("cleanup 2 ends")

    t = asyncio.create_task(body())
    t.add_done_callback(lambda t: log(f"task done: {state(t)}"))
    await turns(1)
    for i, fut in enumerate((f, g, h), 1):
        log(f"cancel {i}: {flag(t.cancel(f'c{i}'))}, future: {state(fut)}")
        await turns(2)
    try:
        await t
    except asyncio.CancelledError as e:
        log(f"main got {name(e)}, cancelling {t.cancelling()}")
