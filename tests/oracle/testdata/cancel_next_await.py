"""A task that was cancelled while it ran loses what it awaits next: a future that others await is cancelled for all."""
import asyncio
from kit import *


async def main(log):
    shared = future()

    async def other():
        try:
            await shared
        except asyncio.CancelledError as e:
            log(f"other got {name(e)}")
            raise

    async def body():
        asyncio.current_task().cancel("flag")
        log(f"shared before: {state(shared)}")
        try:
            await shared
        except asyncio.CancelledError as e:
            log(f"body got {name(e)}")
        log(f"shared after: {state(shared)}")
        await turns(1)
        return "goes on"

    o = asyncio.create_task(other())
    t = asyncio.create_task(body())
    await turns(4)
    log(f"other: {state(o)}, body: {state(t)}, cancelling {o.cancelling()} {t.cancelling()}")
