"""A task that answers a cancellation with another error, or with a value, did not end cancelled."""
import asyncio
from kit import *


async def main(log):
    async def body(who):
        try:
            await turns(100)
        except asyncio.CancelledError as e:
            log(f"{who} got {name(e)}")
            if who == "fails":
                raise Exception("instead")
            return "kept"

    for who in ("fails", "keeps"):
        t = asyncio.create_task(body(who))
        t.add_done_callback(lambda t: log(f"done: {state(t)}"))
        await turns(1)
        t.cancel("stop")
        try:
            log(f"value {await t}")
        except Exception as e:
            log(f"error {name(e)}")
        log(f"cancelled {flag(t.cancelled())}, cancelling {t.cancelling()}, cancel {flag(t.cancel())}")
