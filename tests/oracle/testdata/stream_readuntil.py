"""readuntil finds a separator that came in two pieces, and readline the last line without an end."""
import asyncio
from kit import *


async def main(log):
    r = asyncio.StreamReader()

    async def until(separator):
        try:
            log(f"until: {value(await r.readuntil(separator))}")
        except asyncio.IncompleteReadError as e:
            log(f"until: {name(e)}")

    t = asyncio.create_task(until(b"END"))
    await turns(1)
    for piece in (b"oneE", b"N", b"Dtwo"):
        r.feed_data(piece)
        await turns(2)
        log(f"task: {state(t)}")
    r.feed_data(b"|three;four|")
    await until((b"|", b";"))
    await until((b"|", b";"))
    await until((b"four", b"ou"))
    r.feed_data(b"-" + b"line")
    t = asyncio.create_task(r.readline())
    await turns(2)
    r.feed_eof()
    log(f"line: {value(await t)}")
    log(f"line: {value(await r.readline())}.")
    await until(b"END")
