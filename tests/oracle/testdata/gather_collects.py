"""return_exceptions: values, errors and cancellations stand side by side, and the gather waits for the last."""
import asyncio
from kit import *


async def main(log):
    async def child(who, n):
        await turns(n)
        log(f"{who} ends")
        if who == "fails":
            raise Exception("boom")
        if who == "cancelled":
            raise asyncio.CancelledError
        return who

    g = asyncio.gather(child("a", 2), child("fails", 0), child("cancelled", 1), return_exceptions=True)
    g.add_done_callback(lambda g: log("gather done"))
    log(f"value {value(await g)}")
    f = future()
    f.set_exception(Exception("early"))
    g = asyncio.gather(f, return_exceptions=True)
    log(f"gather: {state(g)}")
