"""Putters wait in order for a place; who comes later does not get ahead of one that waits, unless by put_nowait."""
import asyncio
from kit import *


async def main(log):
    q = asyncio.Queue(1)

    async def putter(who):
        await q.put(who)
        log(f"{who} put, length {q.qsize()}")

    def attempt(call, *args):
        try:
            return value(call(*args))
        except (asyncio.QueueFull, asyncio.QueueEmpty) as e:
            return name(e)

    log(f"get_nowait: {attempt(q.get_nowait)}, empty {flag(q.empty())}")
    await q.put("first")
    log(f"put_nowait: {attempt(q.put_nowait, 'x')}, full {flag(q.full())}")
    tasks = [asyncio.create_task(putter(who)) for who in "abc"]
    await turns(1)
    log(f"got {q.get_nowait()}, length {q.qsize()}")
    await q.put("main")
    log("main put")
    for _ in range(4):
        log(f"got {await q.get()}")
    await asyncio.wait(tasks)
    log(f"length {q.qsize()}")
