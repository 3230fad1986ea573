"""Who waits is cancelled, in the wait and after it was woken: the futures are left alone."""
import asyncio
from kit import *


async def main(log):
    async def waiter(futures):
        try:
            done, pending = await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
            log(f"done {len(done)}, pending {len(pending)}")
        except asyncio.CancelledError as e:
            log(f"waiter got {name(e)}")
            raise

    for woken in (0, 1, 2):
        f, g = future(), future()
        t = asyncio.create_task(waiter([f, g]))
        await turns(1)
        if woken:
            f.set_result(1)
            await turns(woken - 1)
        log(f"cancel {flag(t.cancel('enough'))}")
        await turns(3)
        log(f"waiter: {state(t)}, futures: {state(f)} {state(g)}")
