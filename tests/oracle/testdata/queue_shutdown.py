"""shutdown: putters and later puts fail at once, getters take what is left; join waits for what was put."""
import asyncio
from kit import *


async def main(log):
    q = asyncio.Queue(2)

    async def attempt(who, coro):
        try:
            log(f"{who}: {value(await coro)}")
        except asyncio.QueueShutDown as e:
            log(f"{who}: {name(e)}")

    for item in "ab":
        q.put_nowait(item)
    tasks = [asyncio.create_task(attempt(*c)) for c in (("put", q.put("c")), ("join", q.join()))]
    await turns(1)
    q.shutdown()
    log("shut down")
    await attempt("late put", q.put("d"))
    await attempt("get", q.get())
    q.task_done()
    await turns(2)
    await attempt("get", q.get())
    await attempt("get", q.get())
    q.task_done()
    await asyncio.wait(tasks)
    for call in (lambda: q.put_nowait("e"), q.get_nowait):
        try:
            call()
        except asyncio.QueueShutDown as e:
            log(name(e))
    q = asyncio.Queue()
    getters = [asyncio.create_task(attempt(f"getter {i}", q.get())) for i in range(2)]
    await turns(1)
    q.put_nowait("last")
    q.shutdown()
    await asyncio.wait(getters)
