"""A child of an inner group fails: the inner group's error is the outer body's, and ends the outer group too."""
import asyncio
from kit import *


async def main(log):
    me = asyncio.current_task()

    async def child(who, n):
        try:
            await turns(n)
        except asyncio.CancelledError:
            log(f"{who} interrupted")
            raise
        raise Exception(who)

    try:
        async with Group() as outer:
            outer.create_task(child("outer's", 100))
            try:
                async with Group() as inner:
                    inner.create_task(child("inner's", 1))
                    await turns(100)
            except ExceptionGroup as e:
                log(f"inner {name(e)}, cancelling {me.cancelling()}")
                await turns(1)
                raise
    except ExceptionGroup as e:
        log(f"outer {name(e)}, cancelling {me.cancelling()}")
    await turns(1)
    log("next await works")
