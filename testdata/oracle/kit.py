"""Runs the programs of this folder on CPython's asyncio and writes down what happened, turn by turn.

A program is a file with `async def main(log)`. Each call of log adds a line "turn event" to the trace. The turn is
counted by a callback that schedules itself again: it is the first callback of every turn. No program waits for
time, so that a trace is the same on every machine.

    python3 kit.py            write NAME.trace for every NAME.py here
    python3 kit.py NAME.py    print one trace
"""
import asyncio
import importlib.util
import pathlib
import sys

sys.dont_write_bytecode = True
if sys.version_info < (3, 13):
    sys.exit("the traces are those of CPython 3.13 or later")


def name(exc):
    """How a trace spells an error. Messages of cancellations matter; the library's own texts do not."""
    if exc is None:
        return "nil"
    if isinstance(exc, asyncio.CancelledError):
        return "CancelledError" + (f"({exc.args[0]})" if exc.args and exc.args[0] else "")
    if isinstance(exc, BaseExceptionGroup):
        return "group[" + " ".join(sorted(name(e) for e in exc.exceptions)) + "]"
    for library in (asyncio.TimeoutError, asyncio.InvalidStateError):
        if isinstance(exc, library):
            return library.__name__
    return str(exc)


def state(fut):
    """How a trace spells a future."""
    if not fut.done():
        return "pending"
    if fut.cancelled():
        return "cancelled"
    if fut.exception() is not None:
        return name(fut.exception())
    return value(fut.result())


def value(v):
    if isinstance(v, (list, tuple)):
        return "[" + " ".join(value(x) for x in v) + "]"
    return name(v) if isinstance(v, BaseException) else "nil" if v is None else str(v)


def flag(b):
    return "yes" if b else "no"


async def turns(n):
    """Suspends for exactly n turns."""
    for _ in range(n):
        await asyncio.sleep(0)


def trace(main):
    """Runs main on a fresh loop and returns its trace."""
    lines, turn = [], 0
    loop = asyncio.new_event_loop()

    def tick():
        nonlocal turn
        turn += 1
        loop.call_soon(tick)

    loop.set_exception_handler(lambda _, context: lines.append(f"{turn} handler: {name(context.get('exception'))}"))
    loop.call_soon(tick)
    try:
        loop.run_until_complete(main(lambda event: lines.append(f"{turn} {event}")))
    finally:
        loop.close()
    return "\n".join(lines) + "\n"


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


if __name__ == "__main__":
    here = pathlib.Path(__file__).resolve().parent
    if len(sys.argv) > 1:
        sys.stdout.write(trace(load(pathlib.Path(sys.argv[1]))))
    else:
        for program in sorted(here.glob("*.py")):
            if program.name != "kit.py":
                program.with_suffix(".trace").write_text(trace(load(program)))
