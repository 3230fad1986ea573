"""A child of the outer group fails while the inner group's body runs, or while the inner group waits."""
import asyncio
from kit import *


async def main(log):
    me = asyncio.current_task()

    async def child(who, n):
        try:
            await turns(n)
        except asyncio.CancelledError:
            log(f"{who} interrupted")
            await turns(2)
            log(f"{who} ends")
            raise
        raise Exception(who)

    for body in (100, 0):
        try:
            async with Group() as outer:
                outer.create_task(child("outer's", 2))
                try:
                    async with Group() as inner:
                        inner.create_task(child("inner's", 100))
                        await turns(body)
                        log("inner body ends")
                finally:
                    log(f"inner ends, cancelling {me.cancelling()}")
        except BaseException as e:
            log(f"outer {name(e)}, cancelling {me.cancelling()}")
