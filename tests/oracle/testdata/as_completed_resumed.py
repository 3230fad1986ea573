"""A loop over as_completed that was left goes on where it stopped; a task given twice comes once."""
import asyncio
from kit import *


async def main(log):
    async def child(who, n):
        await turns(n)
        return who

    a, b = asyncio.create_task(child("a", 1)), asyncio.create_task(child("b", 5))
    steps = iter(asyncio.as_completed([a, b, a, child("c", 3)]))
    for step in steps:
        log(f"value {await step}")
        break
    log("left")
    await turns(1)
    for step in steps:
        log(f"value {await step}")
    log("end")
