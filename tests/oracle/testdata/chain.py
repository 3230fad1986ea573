"""t1 awaits t2 awaits f: a cancellation goes down to f and comes back up one turn at a time."""
import asyncio
from kit import *


async def main(log):
    f = asyncio.get_running_loop().create_future()

    async def inner():
        try:
            await f
        except asyncio.CancelledError as e:
            log(f"t2 got {name(e)}")
            raise

    async def outer():
        try:
            await t2
        except asyncio.CancelledError as e:
            log(f"t1 got {name(e)}, t2: {state(t2)}")
            raise

    t2 = asyncio.create_task(inner())
    t1 = asyncio.create_task(outer())
    f.add_done_callback(lambda f: log("f done"))
    t2.add_done_callback(lambda t: log("t2 done"))
    t1.add_done_callback(lambda t: log("t1 done"))
    await turns(2)
    log(f"cancel t1: {flag(t1.cancel('down'))}")
    log(f"f: {state(f)}, cancelling t1 {t1.cancelling()}, t2 {t2.cancelling()}")
    await turns(4)
    log(f"t1: {state(t1)}, t2: {state(t2)}")
