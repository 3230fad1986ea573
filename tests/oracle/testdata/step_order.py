"""Tasks and plain callbacks take turns in the order in which they were queued; a done future costs no turn."""
import asyncio
from kit import *


async def main(log):
    loop = asyncio.get_running_loop()

    async def steps(who, n):
        for i in range(n):
            log(f"{who}{i}")
            await turns(1)
        return who

    a = asyncio.create_task(steps("a", 3))
    loop.call_soon(log, "callback 1")
    b = asyncio.create_task(steps("b", 2))
    loop.call_soon(lambda: loop.call_soon(log, "callback 2"))
    log(f"a: {state(a)}")
    await turns(1)
    log("main")
    log(f"results {await a} {await b}")
    log(f"again {await a}")
    done = future()
    done.set_result("done")
    log(f"{await done} {await asyncio.gather()}")
