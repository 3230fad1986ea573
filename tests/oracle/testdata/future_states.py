"""What each state of a future refuses, and what it answers."""
import asyncio
from kit import *


async def main(log):
    def attempt(what, fn):
        try:
            log(f"{what}: {value(fn())}")
        except BaseException as e:
            log(f"{what}: error {name(e)}")

    def ask(f):
        log(f"done {flag(f.done())}, cancelled {flag(f.cancelled())}")
        attempt("result", f.result)
        attempt("exception", f.exception)
        attempt("set_result", lambda: f.set_result("again"))
        attempt("set_exception", lambda: f.set_exception(Exception("again")))
        log(f"cancel {flag(f.cancel())}")

    f = future()
    attempt("result", f.result)
    attempt("exception", f.exception)
    f.set_result("value")
    ask(f)
    f = future()
    f.set_exception(Exception("boom"))
    ask(f)
    f = future()
    log(f"cancel {flag(f.cancel())}")
    ask(f)
