"""Makes random ways to feed and read a StreamReader, and what CPython's reads return.

A case is {"limit": n, "steps": [step, ...], "trace": [line, ...]}. A step is the name of a method and its argument; a
read has besides the pieces that are fed while it waits. A read that waits still is cancelled. Reads that lose bytes when
they are cancelled, which asyncio's read(-1) does, come after the end only.

    python3 generate.py [COUNT [SEED]] > cases.json
"""
import asyncio
import json
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from kit import flag, name, turns

COUNT = 500  # how many cases.json keeps, which is about 150 KB


def text(r, most, least=0):
    return "".join(r.choice("abA\n") for _ in range(r.randint(least, most)))


def separators(r):
    """Some, of which one may be the end of another."""
    some = [text(r, 4, 1) for _ in range(r.randint(1, 3))]
    if r.random() < 0.5:
        some.insert(r.randint(0, len(some)), r.choice(some)[-r.randint(1, 2):])
    return some


def case(r):
    steps, ended = [], False
    for _ in range(r.randint(2, 14)):
        late = [text(r, 5) for _ in range(r.randint(0, 2))]
        match r.choice(["feed"] * 5 + ["read", "read", "exactly", "until", "until", "line", "all", "eof", "fail"]):
            case "feed":
                if not ended:
                    steps.append(["feed", text(r, 9)])
            case "read":
                steps.append(["read", r.randint(0, 20), []])
            case "exactly":
                steps.append(["exactly", r.randint(0, 12), late])
            case "until":
                steps.append(["until", separators(r), late])
            case "line":
                steps.append(["line", None, late])
            case "all":
                if ended:
                    steps.append(["all", None, []])
            case "eof":
                if not ended and r.random() < 0.3:
                    ended = True
                    steps.append(["eof"])
            case "fail":
                if r.random() < 0.2:
                    steps.append(["fail"])
    return {"limit": r.randint(1, 8), "steps": steps}


async def run(limit, steps):
    reader, lines, ended = asyncio.StreamReader(limit=limit), [], False

    def begin(kind, argument):
        match kind:
            case "read":
                return reader.read(argument)
            case "exactly":
                return reader.readexactly(argument)
            case "until":
                return reader.readuntil(tuple(s.encode() for s in argument))
            case "line":
                return reader.readline()
            case "all":
                return reader.read()

    for kind, *arguments in steps:
        match kind:
            case "feed":
                reader.feed_data(arguments[0].encode())
            case "eof":
                reader.feed_eof()
                ended = True
            case "fail":
                reader.set_exception(RuntimeError("boom"))
            case _:
                task = asyncio.create_task(begin(kind, arguments[0]))
                await turns(2)
                for piece in arguments[1]:
                    if not task.done() and not ended:
                        reader.feed_data(piece.encode())
                        await turns(2)
                task.cancel()
                try:
                    got = (await task).decode()
                except ValueError:
                    got = "over the limit"
                except (Exception, asyncio.CancelledError) as e:
                    got = name(e)
                lines.append(f"{kind} {got}, at end {flag(reader.at_eof())}")
    return lines


def main(count=COUNT, seed=0):
    r = random.Random(int(seed))
    rows = []
    for _ in range(int(count)):
        c = case(r)
        c["trace"] = asyncio.run(run(c["limit"], c["steps"]))
        rows.append(json.dumps(c, separators=(",", ":")))
    print("[\n" + ",\n".join(rows) + "\n]")


main(*sys.argv[1:])
