"""The task is cancelled in the turn in which the awaited task ends: before that the request goes there, after it stays."""
import asyncio
from kit import *


async def main(log):
    async def inner(f):
        try:
            return await f
        except asyncio.CancelledError as e:
            log(f"inner got {name(e)}")
            raise

    async def outer(t):
        try:
            log(f"outer got {await t}")
        except asyncio.CancelledError as e:
            log(f"outer got {name(e)}")
            raise

    for wait in (0, 1, 2):
        f = future()
        i = asyncio.create_task(inner(f))
        o = asyncio.create_task(outer(i))
        await turns(2)
        f.set_result("value")
        await turns(wait)
        log(f"after {wait}: cancel {flag(o.cancel('late'))}, inner cancelling {i.cancelling()}")
        await turns(3)
        log(f"inner: {state(i)}, outer: {state(o)}")
