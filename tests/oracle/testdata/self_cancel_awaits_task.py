"""A task with a pending request that begins to await another task cancels that one at once."""
import asyncio
from kit import *


async def main(log):
    async def other():
        try:
            await turns(100)
        except asyncio.CancelledError as e:
            log(f"other got {name(e)}")
            raise

    async def body():
        asyncio.current_task().cancel("mine")
        log(f"other cancelling {n.cancelling()}")
        try:
            await n
        except asyncio.CancelledError as e:
            log(f"body got {name(e)}, other: {state(n)}, cancelling {n.cancelling()}")
            raise

    n = asyncio.create_task(other())
    await turns(1)
    t = asyncio.create_task(body())
    await turns(1)
    log(f"other: {state(n)}, cancelling {n.cancelling()}, body: {state(t)}")
    await turns(3)
    log(f"other: {state(n)}, body: {state(t)}")
