"""Times the operations of asyncio's own event loop or of uvloop: loops.py SECONDS asyncio|uvloop

The operations, and how they are timed, are those of the Go programs in the folders beside this file: an operation is done
n times, n doubling from a thousand until it took SECONDS of CPU time; the last run counts.
"""

import asyncio
import json
import sys
import threading
import time

BATCH = 1000


def nothing():
    pass


def in_callbacks(loop, n, do):
    """Call do n times, in callbacks of a batch each; the next begins when the loop has run what this one has scheduled."""

    def batch():
        nonlocal n
        if n == 0:
            loop.stop()
            return
        for _ in range(BATCH):
            do()
        n -= BATCH
        loop.call_soon(batch)

    loop.call_soon(batch)
    loop.run_forever()


def call_soon(loop, n):
    in_callbacks(loop, n, lambda: loop.call_soon(nothing))


def call_later_and_cancel(loop, n):
    in_callbacks(loop, n, lambda: loop.call_later(3600, nothing).cancel())


async def sleep(n):
    for _ in range(n):
        await asyncio.sleep(0)


async def one():
    return 1


async def spawn(n):
    for _ in range(n):
        await asyncio.create_task(one())


async def gather(n):
    for _ in range(n // BATCH):
        await asyncio.gather(*[one() for _ in range(BATCH)])


def threadsafe(loop, n):
    """Let another thread make the calls. After each batch it waits until the loop has run it."""

    def calls():
        ran = threading.Event()
        for _ in range(n // BATCH):
            for _ in range(BATCH - 1):
                loop.call_soon_threadsafe(nothing)
            loop.call_soon_threadsafe(ran.set)
            ran.wait()
            ran.clear()
        loop.call_soon_threadsafe(loop.stop)

    thread = threading.Thread(target=calls)
    thread.start()
    loop.run_forever()
    thread.join()


def ns_per_operation(do, seconds):
    n = BATCH
    while True:
        begin = time.process_time_ns()
        do(n)
        took = time.process_time_ns() - begin
        if took >= seconds * 1e9:
            return took / n
        n *= 2


def main(seconds, loops):
    if loops == "uvloop":
        import uvloop

        uvloop.install()
    loop = asyncio.new_event_loop()
    works = {
        "call_soon": lambda n: call_soon(loop, n),
        "call_later and cancel": lambda n: call_later_and_cancel(loop, n),
        "sleep(0)": lambda n: loop.run_until_complete(sleep(n)),
        "create_task and await": lambda n: loop.run_until_complete(spawn(n)),
        "gather of 1,000, each": lambda n: loop.run_until_complete(gather(n)),
        "call_soon_threadsafe": lambda n: threadsafe(loop, n),
    }
    print(json.dumps({name: ns_per_operation(do, seconds) for name, do in works.items()}))
    loop.close()


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2])
