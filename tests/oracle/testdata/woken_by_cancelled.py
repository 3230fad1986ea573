"""The awaited future is cancelled, and then the task that was woken by that: whose message it gets."""
import asyncio
from kit import *


async def main(log):
    f = future()

    async def body():
        try:
            await f
        except asyncio.CancelledError as e:
            log(f"body got {name(e)}")
            raise

    t = asyncio.create_task(body())
    await turns(1)
    f.cancel("future")
    log(f"cancel {flag(t.cancel('task'))}")
    await turns(2)
    log(f"task: {state(t)}, cancelling {t.cancelling()}")
