"""The three modes of wait: a cancelled future is done, and is no exception."""
import asyncio
from kit import *


async def main(log):
    async def child(who, n):
        await turns(n)
        if who == "fails":
            raise Exception("boom")
        if who == "cancelled":
            raise asyncio.CancelledError
        return who

    for when in (asyncio.ALL_COMPLETED, asyncio.FIRST_COMPLETED, asyncio.FIRST_EXCEPTION):
        children = [asyncio.create_task(child(*c)) for c in (("a", 4), ("cancelled", 1), ("fails", 2), ("b", 0))]
        done, pending = await asyncio.wait(children, return_when=when)
        log(f"done {value([state(t) for t in children if t in done])}, pending {len(pending)}")
        await turns(6)
        log(value([state(t) for t in children]))
    children = [asyncio.create_task(child(*c)) for c in (("a", 1), ("cancelled", 0))]
    done, pending = await asyncio.wait(children, return_when=asyncio.FIRST_EXCEPTION)
    log(f"nothing failed: done {len(done)}, pending {len(pending)}")
