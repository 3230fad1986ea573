"""An eager task cancels itself in its first step: it awaits, or awaits nothing, or returns."""
import asyncio
from kit import *


async def main(log):
    async def body(who):
        asyncio.current_task().cancel("me")
        if who == "returns":
            return who
        f = future()
        if who == "awaits done":
            f.set_result(1)
        try:
            await f
            log("no suspension, no interruption")
            await turns(1)
        except asyncio.CancelledError as e:
            log(f"{who} got {name(e)}")
            raise

    for who in ("returns", "awaits", "awaits done"):
        t = eager(body(who))
        log(f"{who}: {state(t)}, cancelling {t.cancelling()}")
        try:
            log(f"value {await t}")
        except asyncio.CancelledError as e:
            log(f"main got {name(e)}")
