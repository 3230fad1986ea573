"""call_soon_threadsafe on the loop's own thread, among calls of call_soon."""
import asyncio
from kit import *


async def main(log):
    loop = asyncio.get_running_loop()
    loop.call_soon(log, "first")
    loop.call_soon_threadsafe(log, "threadsafe")
    loop.call_soon(log, "last")
    log("called")
    await turns(2)
