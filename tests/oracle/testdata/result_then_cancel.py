"""A future gets its result and the task that awaits it is cancelled in the same turn: the cancellation wins."""
import asyncio
from kit import *


async def main(log):
    loop = asyncio.get_running_loop()

    async def body():
        try:
            log(f"body got {await f}")
        except asyncio.CancelledError as e:
            log(f"body got {name(e)}")
            raise

    for order in ("result, cancel", "cancel, result"):
        f = loop.create_future()
        t = asyncio.create_task(body())
        t.add_done_callback(lambda t: log(f"task done: {state(t)}"))
        await turns(1)
        log(order)
        for act in order.split(", "):
            if act == "cancel":
                t.cancel()
            else:
                try:
                    f.set_result(1)
                except asyncio.InvalidStateError as e:
                    log(f"set_result: {name(e)}")
        log(f"f: {state(f)}, task: {state(t)}")
        await turns(3)
