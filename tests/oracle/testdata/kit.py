"""Runs the programs of this folder on CPython's asyncio and writes down what happened, turn by turn.

A program is a file with `async def main(log)`, or with `def run(loop, log)` if it is about a loop's own runs. Each call
of log adds a line "turn event" to the trace. The turn is counted by a callback that schedules itself again: it is the
first callback of every turn. No program waits for time, so that a trace is the same on every machine. The exception are
programs about timers, which say TURNS = False: theirs is the order of events alone, and the turn is written as "-".

NEEDS = (3, 14) in a program refuses an older Python than that.

NAME.go.trace is what the Go twin leaves where it differs on purpose: docs/divergences.md lists those programs.
regenerate.sh makes everything again that Python makes here.

    python3 kit.py            write NAME.trace for every NAME.py here
    python3 kit.py NAME.py    print one trace
"""
import asyncio
import contextlib
import importlib.util
import pathlib
import platform
import sys

sys.dont_write_bytecode = True

OLDEST = (3, 13)  # Queue.shutdown and what uncancel does


def need(who, version):
    """Ends the run if this Python is older than version."""
    if sys.version_info < version:
        sys.exit(
            f"{who} needs CPython {'.'.join(map(str, version))} or later, and {sys.executable} is {platform.python_version()}."
            " Name a newer one in ASYNCIO_ORACLE_PYTHON."
        )


need("the oracle", OLDEST)

NAMED = (
    asyncio.TimeoutError,
    asyncio.InvalidStateError,
    asyncio.QueueEmpty,
    asyncio.QueueFull,
    asyncio.QueueShutDown,
    asyncio.BrokenBarrierError,
)


def name(exc):
    """How a trace spells an error. Messages of cancellations matter; the library's own texts do not."""
    if exc is None:
        return "nil"
    if isinstance(exc, asyncio.CancelledError):
        return "CancelledError" + (f"({exc.args[0]})" if exc.args and exc.args[0] else "")
    if isinstance(exc, BaseExceptionGroup):
        return "group[" + " ".join(sorted(name(e) for e in exc.exceptions)) + "]"
    if isinstance(exc, asyncio.IncompleteReadError):
        return f"IncompleteReadError({value(exc.partial)})"
    if isinstance(exc, asyncio.LimitOverrunError):
        return f"LimitOverrunError({exc.consumed})"
    for library in NAMED:
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
    if isinstance(v, bytes):
        return v.decode()
    return name(v) if isinstance(v, BaseException) else "nil" if v is None else str(v)


def flag(b):
    return "yes" if b else "no"


async def turns(n):
    """Suspends for exactly n turns."""
    for _ in range(n):
        await asyncio.sleep(0)


def future():
    return asyncio.get_running_loop().create_future()


def eager(coro, **kwargs):
    """A task whose first step runs here and now: create_task(eager_start=True), before 3.14 gave it that name."""
    return asyncio.Task(coro, loop=asyncio.get_running_loop(), eager_start=True, **kwargs)


@contextlib.contextmanager
def eager_factory():
    """Whatever makes a task inside makes it with eager."""
    loop = asyncio.get_running_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    try:
        yield
    finally:
        loop.set_task_factory(None)


class Ordered(dict):
    """A set that remembers the order: a TaskGroup cancels its children in the order of its set, which is chance."""

    add = dict.setdefault

    def discard(self, item):
        self.pop(item, None)


class Group(asyncio.TaskGroup):
    """A TaskGroup that cancels its children in the order in which it got them."""

    def __init__(self):
        super().__init__()
        self._tasks = Ordered()


def trace(program):
    """Runs main or run of a program on a fresh loop and returns its trace."""
    lines, turn = [], 0
    counted = getattr(program, "TURNS", True)
    loop = asyncio.new_event_loop()

    def tick():
        nonlocal turn
        turn += 1
        loop.call_soon(tick)

    def log(event):
        lines.append(f"{turn if counted else '-'} {event}")

    loop.set_exception_handler(lambda _, context: log(f"handler: {name(context.get('exception'))}"))
    if counted:
        loop.call_soon(tick)
    try:
        if hasattr(program, "run"):
            program.run(loop, log)
        else:
            loop.run_until_complete(program.main(log))
    finally:
        loop.close()
    return "\n".join(lines) + "\n"


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    need(path.name, getattr(module, "NEEDS", OLDEST))
    return module


def main(arguments):
    if arguments:
        sys.stdout.write(trace(load(pathlib.Path(arguments[0]))))
        return
    here = pathlib.Path(__file__).resolve().parent
    programs = {path: load(path) for path in sorted(here.glob("*.py")) if path.name != "kit.py"}
    for path, program in programs.items():
        path.with_suffix(".trace").write_text(trace(program))


if __name__ == "__main__":
    sys.modules["kit"] = sys.modules["__main__"]  # for the programs: one kit, not two
    main(sys.argv[1:])
