"""A gather of gathers is cancelled: the request goes down to the leaves and comes back up level by level."""
import asyncio
from kit import *


async def main(log):
    async def leaf(who):
        try:
            await turns(100)
        except asyncio.CancelledError as e:
            log(f"{who} got {name(e)}")
            raise

    left = asyncio.gather(leaf("a"), leaf("b"))
    right = asyncio.gather(leaf("c"))
    left.add_done_callback(lambda g: log(f"left done, cancelled {flag(g.cancelled())}"))
    right.add_done_callback(lambda g: log(f"right done, cancelled {flag(g.cancelled())}"))
    both = asyncio.gather(left, right)
    both.add_done_callback(lambda g: log(f"both done, cancelled {flag(g.cancelled())}"))
    await turns(1)
    log(f"cancel {flag(both.cancel('all'))}")
    await turns(5)
    log(f"both: {name(both.exception())}, left: {name(left.exception())}, right: {name(right.exception())}")
    log(f"cancel {flag(both.cancel())} {flag(left.cancel())} {flag(right.cancel())}")
