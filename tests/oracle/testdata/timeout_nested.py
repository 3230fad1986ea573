"""Nested deadlines: of the same moment the outermost is the timeout; inner alone, the outer body goes on."""
import asyncio
from kit import *


async def main(log):
    me = asyncio.current_task()

    async def nested(outer_delay, inner_delay):
        outer = inner = None
        try:
            async with asyncio.timeout(outer_delay) as outer:
                try:
                    async with asyncio.timeout(inner_delay) as inner:
                        try:
                            await turns(3)
                            log("body ends")
                        except asyncio.CancelledError:
                            log(f"body interrupted, cancelling {me.cancelling()}")
                            raise
                except BaseException as e:
                    log(f"inner ends with {name(e)}, cancelling {me.cancelling()}")
                    if not isinstance(e, TimeoutError):
                        raise
                await turns(1)
                log("outer body ends")
        except BaseException as e:
            log(f"outer ends with {name(e)}")
        log(f"expired {flag(outer.expired())} {flag(inner.expired())}, cancelling {me.cancelling()}")

    await nested(0, 0)
    await nested(None, 0)
    await nested(0, None)
    await nested(None, None)
    await turns(1)
    log("next await works")
