"""Results come in the order of the arguments, whatever order the children end in; who waits hears of it two turns later."""
import asyncio
from kit import *


async def main(log):
    async def child(who, n):
        await turns(n)
        log(f"{who} ends")
        return who

    g = asyncio.gather(child("a", 3), child("b", 1), child("c", 2))
    g.add_done_callback(lambda g: log("gather done"))
    log(f"value {value(await g)}")
    f = future()
    f.set_result("ready")
    g = asyncio.gather(child("d", 0), f)
    log(f"gather: {state(g)}")
    log(f"value {value(await g)}")
