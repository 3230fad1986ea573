"""run_until_complete ends with its future: it is stopped before, run again, given a done future, a failed one."""
from kit import *


def run(loop, log):
    def attempt(aw):
        try:
            log(f"value {value(loop.run_until_complete(aw))}")
        except RuntimeError:
            log("stopped before")
        except BaseException as e:
            log(f"error {name(e)}")

    async def stops(n):
        await turns(1)
        loop.stop()
        await turns(n)
        return "value"

    async def fails():
        raise Exception("boom")

    async def body():
        log("body")
        return "body"

    t = loop.create_task(stops(2))
    attempt(t)
    log(f"task: {state(t)}")
    attempt(t)
    attempt(t)
    attempt(fails())
    f = loop.create_future()
    f.set_result("ready")
    loop.call_soon(log, "callback")
    attempt(f)
    f = loop.create_future()
    loop.call_soon(f.cancel, "gone")
    attempt(f)
    attempt(body())
