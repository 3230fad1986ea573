"""Done callbacks run in the order of registration, the awaiting task among them; a removed one does not run."""
import asyncio
from kit import *


async def main(log):
    f = future()

    def callback(who):
        def call(f):
            log(f"{who}: {state(f)}")
        return call

    async def waiter():
        log(f"waiter got {await f}")

    first, removed = callback("first"), callback("removed")
    f.add_done_callback(first)
    f.add_done_callback(removed)
    t = asyncio.create_task(waiter())
    await turns(1)
    f.add_done_callback(callback("last"))
    log(f"removed {f.remove_done_callback(removed)}, again {f.remove_done_callback(removed)}")
    f.set_result("value")
    log("set")
    f.add_done_callback(callback("late"))
    await turns(1)
    log(f"removed {f.remove_done_callback(first)}, waiter: {state(t)}")
    f.add_done_callback(callback("later"))
    log("added")
    await turns(1)
