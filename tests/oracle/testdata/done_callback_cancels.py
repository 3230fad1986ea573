"""Done callbacks of a future cancel the task that awaits it: before or after its wake-up was queued, the task loses."""
import asyncio
from kit import *


async def main(log):
    loop = asyncio.get_running_loop()

    async def body(who):
        try:
            log(f"{who} got {await f}")
            return "result"
        except asyncio.CancelledError as e:
            log(f"{who} got {name(e)}")
            raise

    f = loop.create_future()
    f.add_done_callback(lambda _: log(f"early callback: cancel {flag(t.cancel('early'))}"))
    t = asyncio.create_task(body("first"))
    await turns(1)
    f.set_result(1)
    await turns(2)
    log(f"first: {state(t)}")

    f = loop.create_future()
    t = asyncio.create_task(body("second"))
    await turns(1)
    f.add_done_callback(lambda _: log(f"late callback: cancel {flag(t.cancel('late'))}"))
    f.set_result(2)
    await turns(2)
    log(f"second: {state(t)}")
