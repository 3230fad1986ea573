"""return_exceptions: the message of a child that was cancelled."""
import asyncio
from kit import *


async def main(log):
    async def child():
        await turns(100)

    t = asyncio.create_task(child())
    g = asyncio.gather(t, return_exceptions=True)
    await turns(1)
    t.cancel("why")
    log(f"value {value(await g)}")
