"""set wakes all who wait, also if clear follows at once; who comes while it is set does not wait and is first."""
import asyncio
from kit import *


async def main(log):
    event = asyncio.Event()

    async def waiter(who):
        log(f"{who} goes on {flag(await event.wait())}, set {flag(event.is_set())}")

    a, b = (asyncio.create_task(waiter(who)) for who in "ab")
    await turns(1)
    event.set()
    await waiter("main")
    event.clear()
    late = asyncio.create_task(waiter("late"))
    await turns(2)
    log(f"late: {state(late)}")
    event.set()
    event.set()
    await late
    log(f"{flag(event.is_set())}")
    event.clear()
    log(f"{flag(event.is_set())}")
