"""Cancelling one of two tasks that await one future cancels the future, and so ends the other task too."""
import asyncio
from kit import *


async def main(log):
    f = asyncio.get_running_loop().create_future()

    async def body(who):
        try:
            await f
        except asyncio.CancelledError as e:
            log(f"{who} got {name(e)}")
            raise

    a = asyncio.create_task(body("a"))
    b = asyncio.create_task(body("b"))
    await turns(1)
    f.add_done_callback(lambda f: log(f"f done: {state(f)}"))
    a.cancel("stop")
    log(f"f: {state(f)}, a: {state(a)}, b: {state(b)}")
    await turns(1)
    log(f"a: {state(a)}, b: {state(b)}")
    await turns(1)
    log(f"a: {state(a)}, b: {state(b)}")
    log(f"cancelling a {a.cancelling()}, b {b.cancelling()}")
