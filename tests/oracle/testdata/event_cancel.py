"""A waiter of an event is cancelled before it is set, after, and in the same turn."""
import asyncio
from kit import *


async def main(log):
    event = asyncio.Event()

    async def waiter(who):
        try:
            await event.wait()
            log(f"{who} goes on")
        except asyncio.CancelledError as e:
            log(f"{who} got {name(e)}")
            raise

    a, b, c = (asyncio.create_task(waiter(who)) for who in "abc")
    await turns(1)
    a.cancel("before")
    event.set()
    b.cancel("after")
    await turns(2)
    log(f"{value([state(t) for t in (a, b, c)])}")
