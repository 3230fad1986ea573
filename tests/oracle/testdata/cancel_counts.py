"""Requests add up and are taken back one by one, never below none; a finished task counts no more."""
import asyncio
from kit import *


async def main(log):
    async def body():
        try:
            await turns(100)
        except asyncio.CancelledError as e:
            log(f"kept {name(e)}")
        try:
            await turns(100)
        except asyncio.CancelledError as e:
            log(f"kept {name(e)}")
        return "end"

    t = asyncio.create_task(body())
    log(f"uncancel {t.uncancel()}")
    await turns(1)
    log(f"{flag(t.cancel('1'))} {flag(t.cancel('2'))} {flag(t.cancel('3'))}, cancelling {t.cancelling()}")
    await turns(1)
    log(f"cancelling {t.cancelling()}")
    log(f"uncancel {t.uncancel()} {t.uncancel()}")
    await turns(1)
    log(f"{flag(t.cancel('4'))}, cancelling {t.cancelling()}")
    log(f"uncancel {t.uncancel()} {t.uncancel()} {t.uncancel()}")
    await turns(1)
    t.cancel("5")
    log(f"value {await t}, cancelling {t.cancelling()}")
    log(f"cancel {flag(t.cancel())}, cancelling {t.cancelling()}, uncancel {t.uncancel()}")
