"""Which task runs, in tasks, callbacks and nested awaits; which tasks there are, from creation to end."""
import asyncio
from kit import *


async def main(log):
    loop = asyncio.get_running_loop()
    me = asyncio.current_task()

    def who():
        t = asyncio.current_task()
        return t.get_name() if t else "none"

    async def deeper():
        await turns(1)
        log(f"deeper: {who()}")

    async def body():
        log(f"body: {who()}")
        await deeper()
        asyncio.current_task().set_name("renamed")
        log(f"body: {who()}")

    me.set_name("main")
    loop.call_soon(lambda: log(f"callback: {who()}"))
    t = asyncio.create_task(body(), name="child")
    t.add_done_callback(lambda t: log(f"done callback: {who()}, {len(asyncio.all_tasks())} tasks"))
    log(f"{who()}, {len(asyncio.all_tasks())} tasks")
    await t
    log(f"{who()}, {len(asyncio.all_tasks())} tasks")
