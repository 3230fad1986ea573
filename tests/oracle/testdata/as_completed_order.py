"""as_completed gives results in the order in which they come: two in one turn, one that was there before, a failure."""
import asyncio
from kit import *


async def main(log):
    async def child(who, n):
        await turns(n)
        log(f"{who} ends")
        if who == "fails":
            raise Exception("boom")
        return who

    early = asyncio.create_task(child("early", 0))
    await turns(2)
    others = [asyncio.create_task(child(*c)) for c in (("a", 4), ("b", 1), ("fails", 2), ("c", 1))]
    for step in asyncio.as_completed([early] + others):
        try:
            log(f"value {await step}")
        except Exception as e:
            log(f"error {name(e)}")
    log("end")
