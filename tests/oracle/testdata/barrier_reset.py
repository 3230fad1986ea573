"""reset of a barrier: who waits gets an error, who comes meanwhile waits for the new phase."""
import asyncio
from kit import *


async def main(log):
    barrier = asyncio.Barrier(3)

    async def party(who):
        try:
            log(f"{who} is number {await barrier.wait()}")
        except asyncio.BrokenBarrierError as e:
            log(f"{who} got {name(e)}")

    tasks = [asyncio.create_task(party(who)) for who in "ab"]
    await turns(1)
    log(f"waiting {barrier.n_waiting}")
    await barrier.reset()
    log(f"waiting {barrier.n_waiting}, broken {flag(barrier.broken)}")
    tasks += [asyncio.create_task(party(who)) for who in "cde"]
    await asyncio.wait(tasks)
    await barrier.reset()
    log(f"waiting {barrier.n_waiting}, broken {flag(barrier.broken)}")
