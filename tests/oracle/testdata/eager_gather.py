"""A gather of eager tasks: all that are done count at once, and so does a failure."""
import asyncio
from kit import *


async def main(log):
    async def child(who, n):
        await turns(n)
        if who == "fails":
            raise Exception("boom")
        log(f"{who} ends")
        return who

    with eager_factory():
        g = asyncio.gather(child("a", 0), child("b", 0))
        log(f"all done: {state(g)}")
        log(f"value {value(await g)}")
        g = asyncio.gather(child("a", 2), child("b", 0))
        log(f"one waits: {state(g)}")
        log(f"value {value(await g)}")
        g = asyncio.gather(child("a", 2), child("fails", 0), child("b", 1))
        log(f"one failed: {state(g)}")
        g = asyncio.gather(child("a", 0), child("fails", 0), return_exceptions=True)
        log(f"collected: {state(g)}")
    await turns(3)
    log("end")
