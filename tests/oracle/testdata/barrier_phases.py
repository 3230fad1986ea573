"""A barrier lets parties go together, again and again; who comes while it drains waits for the next phase."""
import asyncio
from kit import *


async def main(log):
    barrier = asyncio.Barrier(2)

    async def party(who, rounds):
        for i in range(rounds):
            n = await barrier.wait()
            log(f"{who} round {i} is number {n}, waiting {barrier.n_waiting}")

    tasks = [asyncio.create_task(party(who, 2)) for who in "ab"]
    await turns(1)
    log(f"waiting {barrier.n_waiting}, broken {flag(barrier.broken)}")
    tasks += [asyncio.create_task(party(who, 1)) for who in "cd"]
    await asyncio.wait(tasks)
    log(f"waiting {barrier.n_waiting}")
    barrier = asyncio.Barrier(1)
    log(f"alone {await barrier.wait()}")
