"""stop lets the turn end; what was added in it waits for the next run. Before a run it makes that one turn long."""
from kit import *


def run(loop, log):
    def stops():
        loop.call_soon(log, "after stop, next run")
        loop.stop()
        log("stopped")
        loop.call_soon(log, "later still")

    loop.stop()
    loop.call_soon(log, "one turn")
    loop.call_soon(lambda: loop.call_soon(log, "second turn"))
    loop.run_forever()
    log("first run has ended")
    loop.call_soon(stops)
    loop.call_soon(log, "same turn as the stop")
    loop.run_forever()
    log("second run has ended")
    loop.stop()
    loop.run_forever()
    log("third run has ended")
