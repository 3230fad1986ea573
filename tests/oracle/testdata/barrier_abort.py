"""abort of a barrier: who waits and who comes gets an error, until reset."""
import asyncio
from kit import *


async def main(log):
    barrier = asyncio.Barrier(2)

    async def party(who):
        try:
            log(f"{who} is number {await barrier.wait()}")
        except asyncio.BrokenBarrierError as e:
            log(f"{who} got {name(e)}, broken {flag(barrier.broken)}")

    a = asyncio.create_task(party("a"))
    await turns(1)
    await barrier.abort()
    log(f"waiting {barrier.n_waiting}, broken {flag(barrier.broken)}")
    await party("main")
    await a
    await barrier.reset()
    log(f"broken {flag(barrier.broken)}")
    tasks = [asyncio.create_task(party(who)) for who in "bc"]
    await asyncio.wait(tasks)
