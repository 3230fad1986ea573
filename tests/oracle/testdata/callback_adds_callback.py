"""A done callback that adds callbacks, to its own future and to another done one: they run a turn later."""
import asyncio
from kit import *


async def main(log):
    f, g = future(), future()
    g.set_exception(Exception("boom"))

    def outer(f):
        f.add_done_callback(lambda f: log(f"own: {state(f)}"))
        g.add_done_callback(lambda g: log(f"other: {state(g)}"))
        log("outer")

    f.add_done_callback(outer)
    f.add_done_callback(lambda f: log("second"))
    f.set_result(1)
    await turns(3)
    log("end")
