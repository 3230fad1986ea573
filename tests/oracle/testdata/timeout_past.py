"""A deadline that is past interrupts the first await of the body, and no body without one."""
import asyncio
from kit import *


async def main(log):
    me = asyncio.current_task()
    done = future()
    done.set_result("done")
    async with asyncio.timeout(-1) as scope:
        log(f"no await: {await done}")
    log(f"expired {flag(scope.expired())}")
    await turns(2)
    log(f"nothing came after, cancelling {me.cancelling()}")
    try:
        async with asyncio.timeout_at(asyncio.get_running_loop().time() - 1) as scope:
            log("body")
            await turns(1)
            log("not reached")
    except TimeoutError as e:
        log(f"{name(e)}, expired {flag(scope.expired())}, cancelling {me.cancelling()}")
    try:
        async with asyncio.timeout(0):
            await future()
    except TimeoutError as e:
        log(f"{name(e)}")
