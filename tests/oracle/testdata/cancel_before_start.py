"""A task cancelled before its first step never runs its body, and its end takes its place in the queue."""
import asyncio
from kit import *


async def main(log):
    async def body(who):
        log(f"{who} runs")

    async def waiter():
        try:
            await a
        except asyncio.CancelledError as e:
            log(f"waiter got {name(e)}")

    a = asyncio.create_task(body("a"))
    b = asyncio.create_task(body("b"))
    w = asyncio.create_task(waiter())
    for t, who in ((a, "a"), (b, "b")):
        t.add_done_callback(lambda t, who=who: log(f"{who} done: {state(t)}"))
    log(f"cancel a: {flag(a.cancel('early'))}")
    log(f"a: {state(a)}, cancelling {a.cancelling()}")
    await turns(1)
    log(f"a: {state(a)}, b: {state(b)}")
    await w
    log(f"cancel a: {flag(a.cancel())}, cancelling {a.cancelling()}")
