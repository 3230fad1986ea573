"""Awaiting a task that ended, failed or was cancelled does not suspend, the second time no more than the first."""
import asyncio
from kit import *


async def main(log):
    async def body(who):
        await turns(1)
        if who == "fails":
            raise Exception("boom")
        return who

    tasks = [asyncio.create_task(body(who)) for who in ("ends", "fails", "cancelled")]
    tasks[2].cancel()
    await turns(3)
    for t in tasks * 2:
        try:
            log(f"value {await t}")
        except BaseException as e:
            log(f"error {name(e)}")
