"""Work in another thread: its value, its error, and a cancellation, which ends the wait and not the work."""
import asyncio
import threading
from kit import *

TURNS = False


async def main(log):
    loop = asyncio.get_running_loop()
    release, began, finished = threading.Event(), asyncio.Event(), asyncio.Event()

    def fails():
        raise Exception("boom")

    def works():
        loop.call_soon_threadsafe(began.set)
        release.wait()
        loop.call_soon_threadsafe(finished.set)

    async def waiter():
        try:
            await asyncio.to_thread(works)
        except asyncio.CancelledError as e:
            log(f"waiter got {name(e)}")
            raise

    log(f"value {await asyncio.to_thread(lambda: 'value')}")
    try:
        await asyncio.to_thread(fails)
    except Exception as e:
        log(f"error {name(e)}")
    t = asyncio.create_task(waiter())
    await began.wait()
    t.cancel("enough")
    await asyncio.wait([t])
    log(f"waiter: {state(t)}, work finished {flag(finished.is_set())}")
    release.set()
    await finished.wait()
    log("work finished")
