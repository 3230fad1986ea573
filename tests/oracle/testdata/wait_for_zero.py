"""wait_for with no time left: what is done is returned, a coroutine never starts, a task is cancelled and waited for."""
import asyncio
from kit import *


async def main(log):
    loop = asyncio.get_running_loop()

    async def body(who, cleanup):
        log(f"{who} starts")
        try:
            await turns(100)
        except asyncio.CancelledError:
            log(f"{who} interrupted")
            await turns(cleanup)
            if who == "keeps":
                return "kept"
            log(f"{who} ends")
            raise

    async def attempt(aw, timeout):
        try:
            log(f"value {await asyncio.wait_for(aw, timeout)}")
        except BaseException as e:
            log(f"error {name(e)}")

    done = loop.create_future()
    done.set_result("ready")
    await attempt(done, 0)
    await attempt(done, -1)
    await attempt(body("never", 0), 0)
    await attempt(body("never", 0), -1)
    for who in ("slow", "keeps"):
        t = asyncio.create_task(body(who, 3))
        await turns(1)
        await attempt(t, 0)
        log(f"{who}: {state(t)}")
    f = loop.create_future()
    await attempt(f, 0)
    log(f"future: {state(f)}, cancelling {asyncio.current_task().cancelling()}")
