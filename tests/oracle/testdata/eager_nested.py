"""Eager tasks that make eager tasks: a stack of first steps, each with its own current task."""
import asyncio
from kit import *


async def main(log):
    def who():
        return asyncio.current_task().get_name()

    async def body(depth):
        log(f"{who()} starts")
        if depth < 3:
            inner = eager(body(depth + 1), name=f"depth {depth + 1}")
            log(f"{who()}: inner {state(inner)}")
            r = await inner
            log(f"{who()} got {r}")
            return r
        await turns(1)
        log(f"{who()} ends")
        return "deep"

    asyncio.current_task().set_name("main")
    t = eager(body(1), name="depth 1")
    log(f"{who()}: {state(t)}, {len(asyncio.all_tasks())} tasks")
    log(f"value {await t}")
