"""Every request counts, one error is delivered: the message is the one that interrupted the await."""
import asyncio
from kit import *


async def main(log):
    async def body(who):
        for i in range(3):
            try:
                await turns(1)
                log(f"{who} step {i}")
            except asyncio.CancelledError as e:
                log(f"{who} step {i}: {name(e)}, cancelling {asyncio.current_task().cancelling()}")
        return who

    fresh = asyncio.create_task(body("fresh"))
    log(f"{flag(fresh.cancel('f1'))} {flag(fresh.cancel('f2'))}, cancelling {fresh.cancelling()}")
    running = asyncio.create_task(body("running"))
    await turns(1)
    log(f"{flag(running.cancel('r1'))} {flag(running.cancel('r2'))}, cancelling {running.cancelling()}")
    await turns(5)
    log(f"fresh: {state(fresh)}, running: {state(running)}")
