"""A deadline and a cancellation from outside in one turn: the cancellation wins, in either order."""
import asyncio
from kit import *


async def main(log):
    loop = asyncio.get_running_loop()

    async def body():
        me = asyncio.current_task()
        try:
            async with asyncio.timeout(None) as scopes[0]:
                try:
                    await turns(100)
                except asyncio.CancelledError as e:
                    log(f"body interrupted, cancelling {me.cancelling()}")
                    raise
        except BaseException as e:
            log(f"scope ends with {name(e)}, cancelling {me.cancelling()}")
            raise

    for first in ("deadline", "cancel"):
        scopes = [None]
        t = asyncio.create_task(body())
        await turns(2)
        if first == "cancel":
            t.cancel("outside")
        scopes[0].reschedule(loop.time())
        if first == "deadline":
            await turns(1)
            t.cancel("outside")
        await turns(3)
        log(f"{first} first: {state(t)}, expired {flag(scopes[0].expired())}, cancelling {t.cancelling()}")
