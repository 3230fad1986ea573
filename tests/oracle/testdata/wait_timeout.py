"""wait whose time is over: no error, nothing is cancelled, and what is done is told."""
import asyncio
from kit import *

TURNS = False


async def main(log):
    async def quick():
        log("quick ends")
        return "quick"

    async def slow():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            log("slow cancelled")
            raise

    tasks = [asyncio.create_task(c) for c in (quick(), slow())]
    for timeout in (0.01, 0, -1):
        done, pending = await asyncio.wait(tasks, timeout=timeout)
        log(f"done {value([state(t) for t in tasks if t in done])}, pending {len(pending)}")
    log(f"cancelling {tasks[1].cancelling()}")
    tasks[1].cancel()
    done, pending = await asyncio.wait(tasks, timeout=60)
    log(f"done {value([state(t) for t in tasks if t in done])}, pending {len(pending)}")
