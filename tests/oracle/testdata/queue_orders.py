"""What a LIFO and a priority queue give to getters that wait and to those that come later."""
import asyncio
from kit import *


async def main(log):
    async def getter(q, who):
        log(f"{who} got {await q.get()}")

    for q in (asyncio.LifoQueue(), asyncio.PriorityQueue()):
        tasks = [asyncio.create_task(getter(q, who)) for who in "ab"]
        await turns(1)
        for item in (2, 3, 1):
            q.put_nowait(item)
        await asyncio.wait(tasks)
        q.put_nowait(0)
        log(f"left {q.get_nowait()} {q.get_nowait()}")
