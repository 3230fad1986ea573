"""A future of another loop cannot be awaited, a lock that tasks of another loop have waited for cannot be waited for."""
import asyncio
from kit import *

TURNS = False


def run(loop, log):
    lock, semaphore, event = asyncio.Lock(), asyncio.Semaphore(0), asyncio.Event()

    async def attempt(who, coro):
        try:
            await coro
            log(f"{who}: done")
        except RuntimeError:
            log(f"{who}: refused")
        except asyncio.CancelledError:
            log(f"{who}: cancelled")

    async def fut(f):
        return await f

    async def main():
        log(f"not waited for: {flag(await lock.acquire())}")
        others = (("lock", lock.acquire()), ("semaphore", semaphore.acquire()), ("event", event.wait()))
        waiters = [asyncio.create_task(attempt(*o)) for o in others]
        await turns(1)
        for t in waiters:
            t.cancel()
        await asyncio.wait(waiters)

    other = asyncio.new_event_loop()
    other.run_until_complete(main())
    f = other.create_future()
    loop.run_until_complete(attempt("future", fut(f)))
    f.set_result("value")
    loop.run_until_complete(attempt("done future", fut(f)))
    loop.run_until_complete(attempt("lock", lock.acquire()))
    lock.release()
    loop.run_until_complete(attempt("free lock", lock.acquire()))
    loop.run_until_complete(attempt("semaphore", semaphore.acquire()))
    loop.run_until_complete(attempt("event", event.wait()))
    event.set()
    loop.run_until_complete(attempt("set event", event.wait()))
    other.close()
