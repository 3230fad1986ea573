"""An eager task that never suspends is done at once, with a value, an error or a cancellation; its callbacks are not."""
import asyncio
from kit import *


async def main(log):
    async def body(who):
        if who == "fails":
            raise Exception("boom")
        if who == "raises cancelled":
            raise asyncio.CancelledError("own")
        return who

    for who in ("ends", "fails", "raises cancelled"):
        t = eager(body(who))
        log(f"{who}: {state(t)}, {len(asyncio.all_tasks())} tasks, cancel {flag(t.cancel())}")
        t.add_done_callback(lambda t: log(f"callback: {state(t)}"))
        try:
            log(f"value {await t}")
        except BaseException as e:
            log(f"error {name(e)}")
        await turns(1)
