"""create_task of a group that was not entered, shuts down, or is finished."""
import asyncio
from kit import *


async def main(log):
    async def child(who):
        log(f"{who} runs")

    def create(tg, who):
        coro = child(who)
        try:
            tg.create_task(coro)
            return "made"
        except RuntimeError:
            coro.close()
            return "refused"

    async def last(tg):
        await turns(2)
        log(f"last child: {create(tg, 'late')}")

    tg = Group()
    log(f"not entered: {create(tg, 'early')}")
    async with tg:
        tg.create_task(last(tg))
    log(f"finished: {create(tg, 'too late')}")
