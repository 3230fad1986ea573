"""What a Runner does with a task that its main leaves behind: it is cancelled and waited for, and its failure reported."""
import asyncio
from kit import *

TURNS = False


def run(loop, log):
    def factory():
        own = asyncio.new_event_loop()
        own.set_exception_handler(lambda _, context: log(f"handler: {name(context.get('exception'))}"))
        return own

    async def left(who):
        try:
            log(f"{who} starts")
            await turns(100)
        except asyncio.CancelledError:
            log(f"{who} cancelled")
            await turns(3)
            if who == "fails":
                raise Exception("clean-up")
            if who == "gives up":
                raise
        log(f"{who} ends")

    async def main(who):
        task = asyncio.create_task(left(who))
        if who != "barely ran":
            await turns(1)
        log("main ends")
        if who == "main fails":
            raise Exception("boom")
        return state(task)

    for who in ("gives up", "fails", "keeps", "barely ran", "main fails"):
        with asyncio.Runner(loop_factory=factory) as runner:
            try:
                log(f"value {runner.run(main(who))}")
            except Exception as e:
                log(f"error {name(e)}")
        log("closed")
