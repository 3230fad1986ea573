"""A due timer cancels another due timer, and a task that is due to wake."""
import asyncio
from kit import *

TURNS = False


async def main(log):
    loop = asyncio.get_running_loop()
    now = loop.time()
    f = future()

    async def waiter():
        try:
            log(f"got {await f}")
        except asyncio.CancelledError as e:
            log(f"waiter {name(e)}")
            raise

    t = asyncio.create_task(waiter())
    loop.call_at(now - 3, lambda: (log("first"), second.cancel()))
    second = loop.call_at(now - 2, log, "not reached")
    loop.call_at(now - 1, f.set_result, "value")
    loop.call_at(now - 0.5, lambda: log(f"cancel {flag(t.cancel('late'))}"))
    await asyncio.wait([t])
    log(state(t))
