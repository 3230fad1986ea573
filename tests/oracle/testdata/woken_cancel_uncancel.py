"""A woken task that is cancelled and uncancelled before it runs gets its result; cancelled twice, uncancelled once, it does not."""
import asyncio
from kit import *


async def main(log):
    loop = asyncio.get_running_loop()

    async def body():
        try:
            log(f"body got {await f}")
            return 42
        except asyncio.CancelledError as e:
            log(f"body got {name(e)}")
            raise

    for cancels in (1, 2):
        f = loop.create_future()
        t = asyncio.create_task(body())
        await turns(1)
        f.set_result(7)
        for i in range(cancels):
            t.cancel(f"c{i}")
        log(f"cancelling {t.cancelling()}")
        log(f"uncancel {t.uncancel()}")
        await turns(2)
        log(f"task: {state(t)}, cancelling {t.cancelling()}")
