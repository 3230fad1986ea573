"""A task that waits for what nobody will ever set, and to which nobody refers any more."""
import asyncio
import gc
from kit import *


async def main(log):
    async def lost():
        try:
            await future()
        finally:
            log("lost ends")

    t = asyncio.create_task(lost())
    await turns(1)
    del t
    gc.collect()
    log("dropped")
    await turns(2)
    log("end")
