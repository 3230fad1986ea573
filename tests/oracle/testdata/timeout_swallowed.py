"""A body that swallows its deadline ends without an error; an old swallowed request does not hide a new deadline."""
import asyncio
from kit import *


async def main(log):
    async def keeps():
        async with asyncio.timeout(0) as scope:
            try:
                await turns(1)
            except asyncio.CancelledError:
                log("kept")
            await turns(1)
            log("goes on")
        return f"expired {flag(scope.expired())}, cancelling {asyncio.current_task().cancelling()}"

    async def counted():
        me = asyncio.current_task()
        me.cancel("old")
        try:
            await turns(1)
        except asyncio.CancelledError as e:
            log(f"kept {name(e)}, cancelling {me.cancelling()}")
        try:
            async with asyncio.timeout(0):
                await turns(1)
        except TimeoutError as e:
            log(f"{name(e)}, cancelling {me.cancelling()}")
        try:
            async with asyncio.timeout(None):
                me.cancel("new")
                await turns(1)
        except asyncio.CancelledError as e:
            log(f"{name(e)}, cancelling {me.cancelling()}")
        return "end"

    async def fails():
        async with asyncio.timeout(0):
            try:
                await turns(1)
            finally:
                raise Exception("boom")

    for coro in (keeps, counted, fails):
        t = asyncio.create_task(coro())
        await asyncio.wait([t])
        log(f"{coro.__name__}: {state(t)}, cancelling {t.cancelling()}")
