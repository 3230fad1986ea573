"""All children swallow the cancellation of their gather: it still ends with an error, after the last of them."""
import asyncio
from kit import *


async def main(log):
    async def child(n):
        try:
            await turns(100)
        except asyncio.CancelledError as e:
            log(f"child {n} keeps {name(e)}")
        await turns(n)
        log(f"child {n} ends")
        return n

    g = asyncio.gather(child(1), child(3))
    g.add_done_callback(lambda g: log("gather done"))
    await turns(2)
    log(f"cancel: {flag(g.cancel('stop'))}, gather: {state(g)}")
    try:
        log(f"value {value(await g)}")
    except asyncio.CancelledError as e:
        log(f"main got {name(e)}, gather cancelled {flag(g.cancelled())}")
