"""After the time is over the body cleans up for as long as it likes; a second deadline inside interrupts that."""
import asyncio
from kit import *


async def main(log):
    me = asyncio.current_task()
    try:
        async with asyncio.timeout(0) as outer:
            try:
                await turns(5)
            finally:
                log(f"cleaning up, cancelling {me.cancelling()}")
                try:
                    async with asyncio.timeout(0):
                        await turns(5)
                except TimeoutError as e:
                    log(f"clean-up {name(e)}, cancelling {me.cancelling()}")
                await turns(2)
                log("cleaned up")
    except TimeoutError as e:
        log(f"{name(e)}, cancelling {me.cancelling()}")
    await turns(1)
    log("next await works")
