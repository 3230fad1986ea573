"""A future or task given twice is one child, its result stands twice; no arguments give an empty list at once."""
import asyncio
from kit import *


async def main(log):
    async def child():
        log("child runs")
        await turns(1)
        return "task"

    f, t = future(), asyncio.create_task(child())
    asyncio.get_running_loop().call_soon(f.set_result, "future")
    log(f"value {value(await asyncio.gather(f, t, f, t))}")
    log(f"empty {state(asyncio.gather())} {state(asyncio.gather(return_exceptions=True))}")
    log(f"value {value(await asyncio.gather())}")
