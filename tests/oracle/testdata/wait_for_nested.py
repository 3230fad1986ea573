"""wait_for inside wait_for: whose time is over first says TimeoutError, and the other one hears it as an error or goes on."""
import asyncio
from kit import *

TURNS = False


async def main(log):
    async def inner(limit):
        try:
            await asyncio.wait_for(asyncio.sleep(60), limit)
        except TimeoutError as e:
            log(f"inner {name(e)}")
            raise
        except asyncio.CancelledError as e:
            log(f"inner {name(e)}")
            raise

    for outer, limit in ((60, 0.005), (0.005, 60)):
        try:
            await asyncio.wait_for(inner(limit), outer)
        except TimeoutError as e:
            log(f"outer {name(e)}, cancelling {asyncio.current_task().cancelling()}")
    await turns(1)
    log("next await works")
