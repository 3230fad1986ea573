"""Cancel and uncancel before the first step: nothing happens. While suspended, uncancel comes too late."""
import asyncio
from kit import *


async def main(log):
    f = asyncio.get_running_loop().create_future()

    async def body(who):
        log(f"{who} starts")
        try:
            await f
        except asyncio.CancelledError as e:
            log(f"{who} got {name(e)}")
            raise

    a = asyncio.create_task(body("a"))
    a.cancel("before")
    log(f"uncancel {a.uncancel()}")
    await turns(1)
    log(f"a: {state(a)}")
    a.cancel("suspended")
    log(f"uncancel {a.uncancel()}, again {a.uncancel()}, f: {state(f)}")
    await turns(1)
    log(f"a: {state(a)}, cancelling {a.cancelling()}")
