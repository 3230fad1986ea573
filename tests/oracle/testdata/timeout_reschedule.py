"""A deadline is moved, taken away and set again; it cannot be before the body, once it is over, nor after the body."""
import asyncio
from kit import *


async def main(log):
    loop = asyncio.get_running_loop()

    def move(scope, when):
        try:
            scope.reschedule(when)
            return "moved"
        except RuntimeError:
            return "refused"

    scope = asyncio.timeout(0)
    log(f"created: {move(scope, None)}")
    async with scope:
        log(f"to none: {move(scope, None)}, {flag(scope.when() is None)}")
        await turns(2)
        log(f"to later: {move(scope, loop.time() + 60)}")
        await turns(2)
        log(f"expired {flag(scope.expired())}")
    log(f"after: {move(scope, None)}")
    scope = asyncio.timeout(60)
    try:
        async with scope:
            log(f"to now: {move(scope, loop.time())}")
            try:
                await turns(5)
            finally:
                log(f"expiring {flag(scope.expired())}: {move(scope, None)}")
    except TimeoutError as e:
        log(f"{name(e)}, expired {flag(scope.expired())}: {move(scope, None)}")
