"""The body of a group fails: its children are cancelled, and the body's error stands beside theirs."""
import asyncio
from kit import *


async def main(log):
    me = asyncio.current_task()

    async def child(who):
        try:
            await turns(100)
        except asyncio.CancelledError as e:
            log(f"{who} got {name(e)}")
            if who == "fails":
                raise Exception("child")
            raise

    for who in ("gives up", "fails"):
        try:
            async with Group() as tg:
                t = tg.create_task(child(who))
                await turns(1)
                raise Exception("body")
        except ExceptionGroup as e:
            log(f"{name(e)}, cancelling {me.cancelling()}, child: {state(t)}")
    try:
        async with Group() as tg:
            t = tg.create_task(child("gives up"))
            await turns(1)
            raise asyncio.CancelledError("own")
    except asyncio.CancelledError as e:
        log(f"{name(e)}, cancelling {me.cancelling()}, child: {state(t)}")
    try:
        async with Group() as tg:
            raise ExceptionGroup("eg", [Exception("inner")])
    except ExceptionGroup as e:
        log(name(e))
