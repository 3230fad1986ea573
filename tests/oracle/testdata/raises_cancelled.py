"""A CancelledError that the body raises itself ends the task cancelled, although nobody has asked for it."""
import asyncio
from kit import *


async def main(log):
    async def body(late):
        if late:
            await turns(1)
        raise asyncio.CancelledError("own")

    for late in (False, True):
        t = asyncio.create_task(body(late))
        t.add_done_callback(lambda t: log(f"done: {state(t)}"))
        try:
            await t
        except asyncio.CancelledError as e:
            log(f"main got {name(e)}, cancelling {t.cancelling()} {asyncio.current_task().cancelling()}")
    f = future()
    f.cancel("future")
    try:
        await f
    except asyncio.CancelledError as e:
        log(f"main got {name(e)}, cancelling {asyncio.current_task().cancelling()}")
