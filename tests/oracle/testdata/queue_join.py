"""join waits for task_done of every item, also of those put meanwhile; too many of them are refused."""
import asyncio
from kit import *


async def main(log):
    q = asyncio.Queue()

    async def joiner(who):
        await q.join()
        log(f"{who} joined")

    def done():
        try:
            q.task_done()
            return "done"
        except ValueError:
            return "refused"

    await joiner("empty")
    log(done())
    for item in "ab":
        q.put_nowait(item)
    tasks = [asyncio.create_task(joiner(who)) for who in ("first", "second", "cancelled")]
    await turns(1)
    q.get_nowait()
    log(done())
    q.put_nowait("c")
    tasks[2].cancel()
    await turns(1)
    log(f"{done()} {done()}, length {q.qsize()}")
    q.put_nowait("d")
    log(f"tasks: {value([state(t) for t in tasks])}")
    await turns(1)
    log(f"tasks: {value([state(t) for t in tasks])}, {done()} {done()}")
