"""A turn runs what was ready when it began, in order; what its callbacks add or cancel."""
from kit import *


def run(loop, log):
    def first():
        log("first")
        loop.call_soon(log, "added")
        third.cancel()
        late = loop.call_soon(log, "not reached")
        late.cancel()
        log(f"cancelled {flag(late.cancelled())}")

    def stop():
        log("stop")
        loop.call_soon(loop.stop)

    loop.call_soon(first)
    loop.call_soon(log, "second")
    third = loop.call_soon(log, "not reached")
    loop.call_soon(stop)
    loop.call_soon(log, "last")
    loop.run_forever()
    log(f"running {flag(loop.is_running())}")
