"""wait_for and the inner task's end in the same turn: a cancellation of the waiter wins and the result stays readable."""
import asyncio
from kit import *


async def main(log):
    loop = asyncio.get_running_loop()

    async def inner(f):
        return await f

    async def outer(fut):
        try:
            log(f"wait_for gave {await asyncio.wait_for(fut, 60)}")
        except BaseException as e:
            log(f"wait_for ended with {name(e)}")
            raise

    f = loop.create_future()
    i = asyncio.create_task(inner(f))
    o = asyncio.create_task(outer(i))
    await turns(2)
    f.set_result("done")
    await turns(1)
    log(f"inner: {state(i)}, outer: {state(o)}")
    o.cancel("late")
    await turns(2)
    log(f"inner: {state(i)}, outer: {state(o)}")

    f = loop.create_future()
    o = asyncio.create_task(outer(f))
    await turns(1)
    o.cancel("outer")
    log(f"future: {state(f)}, outer: {state(o)}")
    await turns(1)
    log(f"outer: {state(o)}, cancelling {o.cancelling()}")
