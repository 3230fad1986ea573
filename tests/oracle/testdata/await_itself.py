"""A task cannot await itself: the await fails, and the task can go on."""
import asyncio
from kit import *


async def main(log):
    async def body():
        try:
            await asyncio.current_task()
        except RuntimeError:
            log("refused")
        await turns(1)
        return "goes on"

    t = asyncio.create_task(body())
    log(f"value {await t}")
