"""wait_for runs a coroutine in the caller's own task: no turn is lost, with a limit or without."""
import asyncio
from kit import *


async def main(log):
    async def body(n):
        log(f"current {asyncio.current_task().get_name()}")
        await turns(n)
        return "value"

    async def fails():
        await turns(1)
        raise Exception("boom")

    asyncio.current_task().set_name("main")
    for limit in (None, 60):
        for n in (0, 2):
            log(f"{await asyncio.wait_for(body(n), limit)}, {len(asyncio.all_tasks())} tasks")
        try:
            await asyncio.wait_for(fails(), limit)
        except Exception as e:
            log(f"error {name(e)}")
    f = future()
    f.set_result("ready")
    log(f"{await asyncio.wait_for(f, 60)}")
