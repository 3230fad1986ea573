"""A task waits in read while bytes are fed: as many as it asked for, more, none; then comes the end."""
import asyncio
from kit import *


async def main(log):
    r = asyncio.StreamReader()

    async def reader():
        while True:
            data = await r.read(4)
            log(f"read {value(data)}, at end {flag(r.at_eof())}")
            if not data:
                return

    r.feed_data(b"ready")
    t = asyncio.create_task(reader())
    await turns(3)
    r.feed_data(b"abcdef")
    log("fed")
    await turns(3)
    r.feed_data(b"")
    await turns(2)
    log(f"reader: {state(t)}")
    r.feed_data(b"end")
    r.feed_eof()
    await t
    log(f"again: {value(await r.read(4))}, nothing: {value(await r.read(0))}")
