"""set_exception wakes the reader and fails every later read, although there are bytes left."""
import asyncio
from kit import *


async def main(log):
    r = asyncio.StreamReader()

    async def reader(coro):
        try:
            log(f"read {value(await coro)}")
        except Exception as e:
            log(f"error {name(e)}")

    t = asyncio.create_task(reader(r.readline()))
    await turns(1)
    r.feed_data(b"bytes")
    await turns(2)
    r.set_exception(Exception("broken"))
    log(f"set: {name(r.exception())}, task: {state(t)}")
    await t
    await reader(r.read(10))
    await reader(r.readexactly(2))
    await reader(r.readuntil(b";"))
    r.feed_eof()
    await reader(r.read(10))
