"""Two tasks shield one inner task: one is cancelled, the other gets the result."""
import asyncio
from kit import *


async def main(log):
    async def inner():
        await turns(3)
        log("inner ends")
        return "value"

    async def waiter(who):
        try:
            log(f"{who} got {await asyncio.shield(t)}")
        except asyncio.CancelledError as e:
            log(f"{who} got {name(e)}")
            raise

    t = asyncio.create_task(inner())
    a, b = (asyncio.create_task(waiter(who)) for who in "ab")
    await turns(2)
    a.cancel("a only")
    await asyncio.wait([a, b])
    log(f"inner: {state(t)}, cancelling {t.cancelling()}, a: {state(a)}, b: {state(b)}")
