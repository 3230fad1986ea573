"""The last bytes come after an incomplete piece was fed, and before the reader that it woke has run."""
import asyncio
from kit import *


async def main(log):
    r = asyncio.StreamReader()

    async def reader():
        log(f"read {value(await r.readexactly(4))}")

    t = asyncio.create_task(reader())
    await turns(1)
    asyncio.get_running_loop().call_soon(r.feed_data, b"cd")
    r.feed_data(b"ab")
    log("fed")
    await t
