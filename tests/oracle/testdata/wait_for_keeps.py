"""The time of wait_for is over and the inner one answers with a value, an error, a long clean-up, or at last gives up."""
import asyncio
from kit import *

TURNS = False


async def main(log):
    async def body(who):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError as e:
            log(f"{who} got {name(e)}")
            if who.startswith("keeps"):
                return "kept"
            if who.startswith("fails"):
                raise Exception("instead")
            await turns(5)
            log(f"{who} has cleaned up")
            raise

    for who in ("keeps", "fails", "slow"):
        for as_task in (False, True):
            aw = asyncio.create_task(body(who + " task")) if as_task else body(who)
            try:
                log(f"value {await asyncio.wait_for(aw, 0.005)}")
            except Exception as e:
                log(f"error {name(e)}")
            if as_task:
                log(f"task: {state(aw)}, cancelling {aw.cancelling()}")
            log(f"cancelling {asyncio.current_task().cancelling()}")
