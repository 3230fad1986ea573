"""A shield of what is done already does not suspend: value, failure, cancellation."""
import asyncio
from kit import *


async def main(log):
    async def fails():
        raise Exception("boom")

    value_, gone, task = future(), future(), asyncio.create_task(fails())
    value_.set_result("value")
    gone.cancel("gone")
    await turns(2)
    for f in (value_, gone, task):
        outer = asyncio.shield(f)
        log(f"outer: {state(outer)}, cancel {flag(outer.cancel())}")
        try:
            log(f"value {await outer}")
        except BaseException as e:
            log(f"error {name(e)}")
