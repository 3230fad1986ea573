"""shutdown at once: what is left is dropped and counts as done, what was handed out does not."""
import asyncio
from kit import *


async def main(log):
    for handed in (0, 1):
        q = asyncio.Queue()

        async def joins():
            await q.join()
            log("joined")

        for item in "abc":
            q.put_nowait(item)
        for _ in range(handed):
            log(f"got {q.get_nowait()}")
        t = asyncio.create_task(joins())
        await turns(1)
        q.shutdown(immediate=True)
        log(f"length {q.qsize()}")
        await turns(2)
        log(f"join: {state(t)}")
        if handed:
            q.task_done()
        await t
        try:
            await q.get()
        except asyncio.QueueShutDown as e:
            log(name(e))
