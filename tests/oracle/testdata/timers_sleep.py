"""Sleeping tasks wake in the order of their deadlines; a sleep that is cancelled ends, whatever its time."""
import asyncio
from kit import *

TURNS = False


async def main(log):
    async def sleeper(ms):
        try:
            await asyncio.sleep(ms / 1000)
            log(f"{ms} slept enough")
        except asyncio.CancelledError:
            log(f"{ms} cancelled")
            raise

    tasks = [asyncio.create_task(sleeper(ms)) for ms in (120, 10, 60, 0, 60000)]
    await asyncio.wait(tasks[:4])
    tasks[4].cancel()
    await asyncio.wait(tasks)
    log(value([state(t) for t in tasks]))
