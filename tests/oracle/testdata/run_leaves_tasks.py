"""What run_until_complete leaves: tasks that are not done go on in the next run, where they stopped."""
from kit import *


def run(loop, log):
    async def background():
        for i in range(4):
            log(f"background {i}")
            await turns(1)
        return "done"

    async def body(n):
        await turns(n)
        log("body ends")

    t = loop.create_task(background())
    loop.run_until_complete(body(1))
    log(f"background: {state(t)}")
    loop.run_until_complete(body(0))
    log(f"background: {state(t)}")
    log(loop.run_until_complete(t))
