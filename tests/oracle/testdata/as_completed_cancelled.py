"""Who loops over as_completed is cancelled while it waits: the tasks run on, and nothing is lost."""
import asyncio
from kit import *


async def main(log):
    async def child(who, n):
        await turns(n)
        log(f"{who} ends")
        return who

    async def loops():
        for step in steps:
            try:
                log(f"value {await step}")
            except asyncio.CancelledError as e:
                log(f"interrupted by {name(e)}")
                break
        return "left"

    a, b = asyncio.create_task(child("a", 1)), asyncio.create_task(child("b", 6))
    steps = iter(asyncio.as_completed([a, b]))
    t = asyncio.create_task(loops())
    await turns(5)
    t.cancel("enough")
    log(f"value {await t}, a: {state(a)}, b: {state(b)}, cancelling {t.cancelling()}")
    log(f"{await b}")
