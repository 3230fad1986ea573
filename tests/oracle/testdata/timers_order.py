"""Timers fire in the order of their deadlines, past ones too, after what was ready; a cancelled one does not."""
import asyncio
from kit import *

TURNS = False


async def main(log):
    loop = asyncio.get_running_loop()
    now = loop.time()
    done = asyncio.Event()
    loop.call_at(now + 0.03, done.set)
    loop.call_at(now + 0.02, log, "in 20 ms")
    loop.call_at(now + 0.01, log, "in 10 ms")
    loop.call_later(-1, log, "1 s ago")
    loop.call_later(-2, log, "2 s ago")
    loop.call_at(now - 1.5, log, "1.5 s ago")
    cancelled = loop.call_at(now + 0.015, log, "not reached")
    loop.call_at(now, cancelled.cancel)
    loop.call_soon(log, "soon")
    log("armed")
    await done.wait()
    log(f"cancelled {flag(cancelled.cancelled())}")
