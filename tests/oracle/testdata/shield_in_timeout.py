"""A deadline ends the wait for a shielded task, not the task."""
import asyncio
from kit import *


async def main(log):
    async def inner():
        await turns(5)
        log("inner ends")
        return "value"

    t = asyncio.create_task(inner())
    try:
        async with asyncio.timeout(0):
            await asyncio.shield(t)
    except TimeoutError as e:
        log(f"{name(e)}, inner: {state(t)}, cancelling {t.cancelling()}")
    log(f"{await t}")
    t = asyncio.create_task(inner())
    try:
        async with asyncio.timeout(0):
            await t
    except TimeoutError as e:
        log(f"{name(e)}, inner: {state(t)}, cancelling {t.cancelling()}")
