"""Children of both of two nested groups fail in one turn."""
import asyncio
from kit import *


async def main(log):
    me = asyncio.current_task()

    async def child(who, n):
        await turns(n)
        raise Exception(who)

    for first in ("inner", "outer"):
        try:
            async with Group() as outer:
                if first == "outer":
                    outer.create_task(child("outer's", 1))
                try:
                    async with Group() as inner:
                        inner.create_task(child("inner's", 1))
                        if first == "inner":
                            outer.create_task(child("outer's", 1))
                        try:
                            await turns(100)
                        finally:
                            log(f"body interrupted, cancelling {me.cancelling()}")
                finally:
                    log(f"inner ends, cancelling {me.cancelling()}")
                await turns(1)
                log("outer body ends")
        except BaseException as e:
            log(f"outer {name(e)}, cancelling {me.cancelling()}")
    await turns(1)
    log("next await works")
