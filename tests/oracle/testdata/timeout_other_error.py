"""The time is over and the body answers with another error, with TimeoutError, or with a cancellation of its own."""
import asyncio
from kit import *


async def main(log):
    me = asyncio.current_task()

    async def body(who):
        async with asyncio.timeout(0):
            try:
                await turns(5)
            except asyncio.CancelledError:
                await turns(1)
                if who == "fails":
                    raise Exception("instead")
                if who == "own":
                    raise asyncio.CancelledError("own")
                if who == "group":
                    raise ExceptionGroup("group", [Exception("instead")])
                raise

    for who in ("gives up", "fails", "own", "group"):
        try:
            await body(who)
        except BaseException as e:
            log(f"{who}: {name(e)}, cancelling {me.cancelling()}")
    try:
        async with asyncio.timeout(60):
            raise TimeoutError
    except TimeoutError as e:
        log(f"body's own {name(e)}")
    try:
        async with asyncio.timeout(60) as scope:
            raise asyncio.CancelledError("own")
    except asyncio.CancelledError as e:
        log(f"{name(e)}, expired {flag(scope.expired())}, cancelling {me.cancelling()}")
