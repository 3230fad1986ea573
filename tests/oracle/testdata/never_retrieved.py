"""A failure that nobody looks at, of a future and of a task, when the last reference goes."""
import asyncio
from kit import *


async def main(log):
    async def fails():
        raise Exception("task lost")

    f = future()
    f.set_exception(Exception("future lost"))
    del f
    log("future dropped")
    t = asyncio.create_task(fails())
    del t
    await turns(3)
    f = future()
    f.set_exception(Exception("seen"))
    log(f"seen: {state(f)}")
    del f
    log("end")
