"""An eager task is cancelled by its creator before the loop has ever resumed it."""
import asyncio
from kit import *


async def main(log):
    async def body(who, f):
        try:
            await f
        except asyncio.CancelledError as e:
            log(f"{who} got {name(e)}, cancelling {asyncio.current_task().cancelling()}")
            raise

    f = future()
    a, b = eager(body("a", f)), eager(body("b", turns(5)))
    log(f"{flag(a.cancel('one'))} {flag(b.cancel('two'))}, future: {state(f)}")
    c = eager(body("c", turns(5)))
    c.cancel("three")
    log(f"uncancel {c.uncancel()}")
    await turns(2)
    log(f"a: {state(a)}, b: {state(b)}, c: {state(c)}")
    await turns(4)
    log(f"c: {state(c)}")
