"""The future of run_coroutine_threadsafe is cancelled before the loop has begun the coroutine, and once more."""
import asyncio
from kit import *


async def main(log):
    async def body():
        log("body starts")
        await turns(5)

    f = asyncio.run_coroutine_threadsafe(body(), asyncio.get_running_loop())
    log(f"cancel {flag(f.cancel())}")
    await turns(5)
    log(f"cancelled {flag(f.cancelled())}, cancel {flag(f.cancel())}")
