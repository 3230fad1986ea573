"""A callback that fails is reported, and the rest of the turn runs; done callbacks and futures are no exception."""
import asyncio
from kit import *


async def main(log):
    loop = asyncio.get_running_loop()

    def fails(what):
        raise Exception(what)

    loop.call_soon(fails, "callback")
    loop.call_soon(log, "next callback")
    f = future()
    f.add_done_callback(lambda f: fails("done callback"))
    f.add_done_callback(lambda f: log("next done callback"))
    f.set_result("value")
    log(f"{await f}")
    await turns(1)
    loop.call_exception_handler({"message": "by hand", "exception": Exception("reported")})
    loop.call_exception_handler({"message": "by hand"})
    log("end")
