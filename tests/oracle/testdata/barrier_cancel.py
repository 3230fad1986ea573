"""A waiter of a barrier is cancelled: it counts no more and nothing breaks; and one that is cancelled as all may go."""
import asyncio
from kit import *


async def main(log):
    barrier = asyncio.Barrier(2)

    async def party(who):
        try:
            await barrier.wait()
            log(f"{who} passes")
        except asyncio.CancelledError as e:
            log(f"{who} got {name(e)}, waiting {barrier.n_waiting}")
            raise

    a = asyncio.create_task(party("a"))
    await turns(1)
    a.cancel("enough")
    await turns(1)
    log(f"a: {state(a)}, waiting {barrier.n_waiting}, broken {flag(barrier.broken)}")
    b, c = (asyncio.create_task(party(who)) for who in "bc")
    await turns(1)
    log(f"cancel {flag(b.cancel('as all go'))}")
    await asyncio.wait([b, c])
    log(f"b: {state(b)}, c: {state(c)}, waiting {barrier.n_waiting}")
    d, e = (asyncio.create_task(party(who)) for who in "de")
    await asyncio.wait([d, e])
