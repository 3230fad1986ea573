"""Starts children and reads files with asyncio's own event loop or with uvloop: system.py SECONDS asyncio|uvloop

Each work is done n times, n doubling until it took SECONDS of CPU time of this process; the last run counts. Files are read
in threads, since asyncio has nothing else for them.
"""

import asyncio
import json
import os
import sys
import tempfile
import time

CHILDREN = 10
READERS = 10


async def one(n):
    for _ in range(n):
        child = await asyncio.create_subprocess_exec("/bin/true")
        if await child.wait() != 0:
            sys.exit("the child has failed")


async def ten(n):
    for _ in range(n // CHILDREN):
        await asyncio.gather(*[one(1) for _ in range(CHILDREN)])


async def output(n):
    """Read n pieces that a child writes."""
    child = await asyncio.create_subprocess_exec("head", "-c", str(n << 16), "/dev/zero", stdout=asyncio.subprocess.PIPE)
    size = 0
    while data := await child.stdout.read(65536):
        size += len(data)
    if size != n << 16 or await child.wait() != 0:
        sys.exit("the child has failed")


def read_file(name):
    with open(name, "rb") as f:
        return f.read()


async def read(name, n):
    async def reader():
        for _ in range(n // READERS):
            await asyncio.to_thread(read_file, name)

    await asyncio.gather(*[reader() for _ in range(READERS)])


def ns_per_operation(do, seconds, n):
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
    asyncio.set_event_loop(loop)  # older ones look for their children with it
    run = loop.run_until_complete
    with tempfile.TemporaryDirectory() as folder:
        small, large = os.path.join(folder, "small"), os.path.join(folder, "large")
        for name, size in ((small, 4 << 10), (large, 1 << 20)):
            with open(name, "wb") as f:
                f.truncate(size)
        works = {
            "a child": (20, lambda n: run(one(n))),
            "a child of ten at once": (20, lambda n: run(ten(n))),
            "64 KiB from a child": (100, lambda n: run(output(n))),
            "a file of 4 KiB": (100, lambda n: run(read(small, n))),
            "a file of 1 MiB": (100, lambda n: run(read(large, n))),
        }
        print(json.dumps({name: ns_per_operation(do, seconds, n) for name, (n, do) in works.items()}))
    loop.close()


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2])
