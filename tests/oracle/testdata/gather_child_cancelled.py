"""A child that is cancelled from outside is an error of the gather, not its cancellation; siblings go on."""
import asyncio
from kit import *


async def main(log):
    async def child(who, n):
        await turns(n)
        log(f"{who} ends")
        return who

    for collect in (False, True):
        a, b, c = (asyncio.create_task(child(who, n)) for who, n in (("a", 1), ("b", 9), ("c", 4)))
        g = asyncio.gather(a, b, c, return_exceptions=collect)
        g.add_done_callback(lambda g: log(f"gather done, cancelled {flag(g.cancelled())}"))
        await turns(2)
        b.cancel(None if collect else "b only")  # asyncio's list forgets the message, so there is none to forget
        try:
            log(f"value {value(await g)}")
        except asyncio.CancelledError as e:
            log(f"main got {name(e)}, cancelling {asyncio.current_task().cancelling()}")
        log(f"a: {state(a)}, b: {state(b)}, c: {state(c)}")
        await turns(4)
        log(f"c: {state(c)}")
