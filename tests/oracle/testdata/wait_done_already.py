"""Futures that are done already: wait takes a turn all the same; what else is done by then counts as well."""
import asyncio
from kit import *


async def main(log):
    async def child(n):
        await turns(n)

    for when in (asyncio.ALL_COMPLETED, asyncio.FIRST_COMPLETED):
        f, g, h = future(), future(), future()
        f.set_result(1)
        t = asyncio.create_task(child(0))
        asyncio.get_running_loop().call_soon(g.set_result, 2)
        futures = [f, g, h] if when == asyncio.FIRST_COMPLETED else [f, g, t]
        done, pending = await asyncio.wait(futures, return_when=when)
        log(f"done {value([state(f) for f in futures if f in done])}, pending {len(pending)}")
        await t
    f = future()
    f.cancel()
    for when in (asyncio.ALL_COMPLETED, asyncio.FIRST_EXCEPTION):
        done, pending = await asyncio.wait([f, f], return_when=when)
        log(f"{value([state(f) for f in done])}")
