"""A cancellation from outside goes through two groups and a timeout: everything is cleaned up, from the inside out."""
import asyncio
from kit import *


async def main(log):
    async def child(who):
        try:
            await turns(100)
        finally:
            log(f"{who} cleans up")
            await turns(1)
            log(f"{who} ends")

    async def parent():
        me = asyncio.current_task()
        try:
            async with Group() as outer:
                outer.create_task(child("outer's"))
                async with asyncio.timeout(60) as scope:
                    async with Group() as inner:
                        inner.create_task(child("inner's"))
                        await turns(100)
        finally:
            log(f"parent ends, expired {flag(scope.expired())}, cancelling {me.cancelling()}")

    t = asyncio.create_task(parent())
    await turns(3)
    t.cancel("outside")
    try:
        await t
    except asyncio.CancelledError as e:
        log(f"main got {name(e)}")
