"""More than the limit before a separator: readuntil leaves it all, readline drops what it must."""
import asyncio
from kit import *


async def main(log):
    async def until(r):
        try:
            log(f"until: {value(await r.readuntil(b';'))}")
        except (asyncio.LimitOverrunError, asyncio.IncompleteReadError) as e:
            log(f"until: {name(e)}")

    async def line(r):
        try:
            log(f"line: {value(await r.readline()).strip()}")
        except ValueError:
            log("line: too long")

    r = asyncio.StreamReader(limit=4)
    r.feed_data(b"12345;6;")
    await until(r)
    log(f"took {value(await r.readexactly(5))}")
    await until(r)
    await until(r)
    t = asyncio.create_task(until(r))
    await turns(1)
    r.feed_data(b"abcd")
    await turns(2)
    log(f"task: {state(t)}")
    r.feed_data(b"e")
    await t
    r.feed_data(b"\n")
    await line(r)
    r.feed_data(b"ok\nlong line without end")
    await line(r)
    await line(r)
    r.feed_data(b"ok\n")
    await line(r)
    r.feed_data(b"1234")
    r.feed_eof()
    await until(r)
