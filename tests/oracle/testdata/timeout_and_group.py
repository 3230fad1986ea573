"""A timeout around a task group, and one inside its body: the children end first, the right one says TimeoutError."""
import asyncio
from kit import *


async def main(log):
    me = asyncio.current_task()

    async def child(who):
        try:
            await turns(100)
        finally:
            log(f"{who} cleans up")
            await turns(2)
            log(f"{who} ends")

    try:
        async with asyncio.timeout(0):
            async with Group() as tg:
                tg.create_task(child("a"))
                tg.create_task(child("b"))
                await turns(1)
                await turns(100)
    except TimeoutError as e:
        log(f"around: {name(e)}, cancelling {me.cancelling()}")
    try:
        async with Group() as tg:
            tg.create_task(child("c"))
            await turns(1)
            async with asyncio.timeout(0):
                await turns(100)
    except BaseException as e:
        log(f"inside: {name(e)}, cancelling {me.cancelling()}")
    try:
        async with asyncio.timeout(0):
            async with Group() as tg:
                tg.create_task(child("d"))
                tg.create_task(child("e")).add_done_callback(lambda t: log("e done"))
    except TimeoutError as e:
        log(f"while it waits: {name(e)}, cancelling {me.cancelling()}")
