"""A task sees the values that were set where it was made; what it sets itself stays with it and its children."""
import asyncio
import contextvars
from kit import *

var = contextvars.ContextVar("var", default="none")


async def main(log):
    async def grandchild():
        log(f"grandchild sees {var.get()}")

    async def child(who):
        log(f"{who} sees {var.get()}")
        var.set(who)
        await turns(1)
        log(f"{who} sees {var.get()}")
        await asyncio.create_task(grandchild())

    a = asyncio.create_task(child("a"))
    var.set("main")
    b = asyncio.create_task(child("b"))
    await a
    await b
    log(f"main sees {var.get()}")
    eager(child("c"))
    log(f"main sees {var.get()}")
    await asyncio.gather(grandchild())
    await turns(3)
