"""A task group that succeeds: children and grandchildren, made before and after the body's end."""
import asyncio
from kit import *


async def main(log):
    async def child(tg, who, n):
        log(f"{who} starts")
        await turns(n)
        if n > 0:
            tg.create_task(child(tg, who + "'", n - 1))
        log(f"{who} ends")
        return who

    async with Group() as tg:
        a = tg.create_task(child(tg, "a", 2))
        b = tg.create_task(child(tg, "b", 0))
        b.add_done_callback(lambda t: log("b done"))
        log("body ends")
    log(f"{state(a)} {state(b)}, {len(asyncio.all_tasks())} tasks")
    async with Group() as tg:
        log("empty")
    log("an empty group costs no turn")
