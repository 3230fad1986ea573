"""An eager task runs up to its first suspension before its creator goes on, and is the current task meanwhile."""
import asyncio
from kit import *


async def main(log):
    async def body(who):
        log(f"{who} starts, current {asyncio.current_task().get_name()}")
        await turns(1)
        log(f"{who} goes on")
        return who

    asyncio.current_task().set_name("main")
    lazy = asyncio.create_task(body("lazy"), name="lazy")
    quick = eager(body("quick"), name="quick")
    log(f"main goes on, current {asyncio.current_task().get_name()}")
    quick.add_done_callback(lambda t: log(f"quick done: {state(t)}"))
    log(f"quick: {state(quick)}, lazy: {state(lazy)}, {len(asyncio.all_tasks())} tasks")
    log(f"results {await lazy} {await quick}")
