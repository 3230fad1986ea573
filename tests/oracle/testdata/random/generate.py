"""Makes random programs that create, await, cancel and time out, and the traces that CPython's asyncio leaves of them.

A program is {"futures": n, "tasks": [script, ...], "eager": [bool, ...]}; a script is a list of statements, a statement a
list whose first element is its name, and a task is eager or not. Python runs a script with `run` below, Go with its twin in oracle_random_test.go. A task refers only
to tasks with a smaller number, so that no two await each other. Cancellations have no messages: CPython forgets the
message of a cancelled future when it is asked a second time.

    python3 generate.py [COUNT [FIRST_SEED]] > programs.json
"""
import asyncio
import json
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from kit import Group, eager, flag, name, state, trace, turns, value

COUNT = 300  # how many programs.json keeps, which is about 500 KB
LIMIT = 25  # how long a program may run before what is left of it is cancelled

FLAT = (
    ["yield", "await", "cancel", "set"] * 3
    + ["uncancel", "cancel_future", "cancel_last", "raise", "shield", "gather", "wait", "wait_for", "reschedule"]
    + ["as_completed", "callback", "call_soon", "group_task"]
    + ["event_wait", "event_set", "event_clear", "condition_wait", "condition_notify", "barrier_wait", "barrier_end"]
    + ["put", "get", "put_nowait", "get_nowait", "task_done", "join", "shutdown"]
)
DEEP = (
    ["swallow", "timeout"] * 3
    + ["catch", "finally", "wait_for_coro", "spawn", "spawn", "group", "group", "lock", "semaphore"]
)


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.futures = self.random.randint(2, 4)
        self.count = self.random.randint(3, 6)

    def program(self):
        tasks = [self.script(i, 3, self.random.randint(2, 5)) for i in range(self.count)]
        return {"futures": self.futures, "tasks": tasks, "eager": [self.random.random() < 0.2 for _ in tasks]}

    def script(self, me, depth, length):
        return [self.statement(me, depth) for _ in range(length)]

    def nested(self, me, depth):
        return self.script(me, depth - 1, self.random.randint(1, 3))

    def references(self, me, n):
        """Different futures or earlier tasks, at most n."""
        everything = [["future", i] for i in range(self.futures)] + [["task", i] for i in range(me)]
        return self.random.sample(everything, min(n, len(everything)))

    def reference(self, me):
        return self.references(me, 1)[0]

    def statement(self, me, depth):
        r = self.random
        kind = r.choice(FLAT + (DEEP if depth > 0 else []))
        match kind:
            case "yield":
                return [kind, r.randint(1, 3)]
            case "await" | "shield" | "callback":
                return [kind, self.reference(me)]
            case "cancel" | "uncancel":
                return [kind, r.randrange(self.count)]
            case "set" | "cancel_future":
                return [kind, r.randrange(self.futures)]
            case "raise":
                return [kind, f"boom{me}"] if r.random() < 0.4 else ["yield", 1]
            case "swallow" | "catch":
                return [kind, self.nested(me, depth)]
            case "finally":
                return [kind, self.nested(me, depth), self.nested(me, depth)]
            case "timeout":
                return [kind, r.random() < 0.4, self.nested(me, depth)]
            case "wait_for":
                return [kind, self.reference(me), r.choice([0, 60])]
            case "wait_for_coro":
                return [kind, self.nested(me, depth), r.choice([0, 60])]
            case "as_completed":
                return [kind, self.references(me, 3)]
            case "gather":
                return [kind, r.random() < 0.5, self.references(me, r.randint(1, 3))]
            case "wait":
                return [kind, r.randrange(3), self.references(me, 3)]
            case "condition_notify":
                return [kind, r.randint(1, 2)]
            case "reschedule":
                return [kind, r.random() < 0.5]
            case "barrier_end":
                return [kind, r.random() < 0.3]
            case "shutdown":
                return [kind, r.random() < 0.5] if r.random() < 0.2 else ["get"]
            case "spawn":
                return [kind, r.random() < 0.4, self.nested(me, depth)]
            case "lock" | "semaphore":
                return [kind, self.nested(me, depth)]
            case "group_task":
                return [kind, self.script(0, 0, r.randint(1, 2))]  # whose group it is, chance decides: no task may be awaited
            case "group":
                return [kind, [self.nested(me, depth) for _ in range(r.randint(1, 2))], self.nested(me, depth)]
            case _:
                return [kind]


class Program:
    def __init__(self, program, log):
        loop = asyncio.get_running_loop()
        self.log = log
        self.futures = [loop.create_future() for _ in range(program["futures"])]
        self.lock, self.event, self.condition = asyncio.Lock(), asyncio.Event(), asyncio.Condition()
        self.semaphore, self.barrier, self.queue = asyncio.Semaphore(2), asyncio.Barrier(2), asyncio.Queue(1)
        self.scopes, self.groups, self.spawned, self.tasks = [], [], [], []
        for i, script in enumerate(program["tasks"]):
            create = eager if program["eager"][i] else asyncio.create_task
            self.tasks.append(create(self.task(i, script)))

    def find(self, reference):
        kind, i = reference
        return self.futures[i] if kind == "future" else self.tasks[i]

    async def task(self, i, script):
        await self.run(f"t{i}", script)
        return f"t{i}"

    async def run(self, who, script):
        for i, statement in enumerate(script):
            here = f"{who}.{i}"
            try:
                said = await self.statement(here, *statement)
            except BaseException as e:
                self.log(f"{here} {statement[0]}: {name(e)}")
                raise
            self.log(f"{here} {statement[0]}: {said}")

    async def statement(self, here, kind, *args):
        match kind:
            case "yield":
                await turns(args[0])
                return "on"
            case "await":
                return value(await self.find(args[0]))
            case "shield":
                return value(await asyncio.shield(self.find(args[0])))
            case "cancel" | "uncancel" if args[0] >= len(self.tasks):
                return "none"
            case "cancel":
                return flag(self.tasks[args[0]].cancel())
            case "uncancel":
                return str(self.tasks[args[0]].uncancel())
            case "cancel_last":
                return flag(self.spawned[-1].cancel()) if self.spawned else "none"
            case "callback":
                self.find(args[0]).add_done_callback(lambda f: self.log(f"{here} called: {state(f)}"))
                return "on"
            case "call_soon":
                asyncio.get_running_loop().call_soon(lambda: self.log(f"{here} called"))
                return "on"
            case "set":
                try:
                    self.futures[args[0]].set_result(f"f{args[0]}")
                    return "yes"
                except asyncio.InvalidStateError as e:
                    return name(e)
            case "cancel_future":
                return flag(self.futures[args[0]].cancel())
            case "raise":
                raise Exception(args[0])
            case "swallow":
                try:
                    await self.run(here, args[0])
                except asyncio.CancelledError as e:
                    return name(e)
                return "nothing"
            case "catch":
                try:
                    await self.run(here, args[0])
                except (Exception, asyncio.CancelledError) as e:
                    return name(e)
                return "nothing"
            case "finally":
                try:
                    await self.run(here, args[0])
                finally:
                    await self.run(here + "f", args[1])
                return "on"
            case "timeout":
                async with asyncio.timeout(0 if args[0] else None) as scope:
                    self.scopes.append(scope)
                    try:
                        await self.run(here, args[1])
                    finally:
                        self.log(f"{here} expired {flag(scope.expired())}, cancelling {asyncio.current_task().cancelling()}")
                return "in time"
            case "wait_for":
                return value(await asyncio.wait_for(self.find(args[0]), args[1]))
            case "wait_for_coro":
                return value(await asyncio.wait_for(self.run(here, args[0]), args[1]))
            case "gather":
                return value(await asyncio.gather(*map(self.find, args[1]), return_exceptions=args[0]))
            case "wait":
                when = (asyncio.ALL_COMPLETED, asyncio.FIRST_COMPLETED, asyncio.FIRST_EXCEPTION)[args[0]]
                futures = list(map(self.find, args[1]))
                done, _ = await asyncio.wait(futures, return_when=when)
                return value([i for i, f in enumerate(futures) if f in done])
            case "as_completed":
                return await self.as_completed(list(map(self.find, args[0])))
            case "reschedule":
                try:
                    if not self.scopes:
                        return "none"
                    self.scopes[-1].reschedule(asyncio.get_running_loop().time() if args[0] else None)
                    return "yes"
                except RuntimeError:
                    return "no"
            case "spawn":
                create = eager if args[0] else asyncio.create_task
                self.spawned.append(create(self.run(here + "s", args[1])))
                return "on"
            case "lock" | "semaphore":
                async with self.lock if kind == "lock" else self.semaphore:
                    await self.run(here, args[0])
                return "on"
            case "event_wait":
                await self.event.wait()
                return "on"
            case "event_set":
                self.event.set()
                return "on"
            case "event_clear":
                self.event.clear()
                return "on"
            case "put":
                await self.queue.put(here)
                return "on"
            case "get":
                return await self.queue.get()
            case "put_nowait" | "get_nowait" | "task_done":
                try:
                    match kind:
                        case "put_nowait":
                            self.queue.put_nowait(here)
                            return "on"
                        case "get_nowait":
                            return self.queue.get_nowait()
                    self.queue.task_done()
                    return "on"
                except (asyncio.QueueFull, asyncio.QueueEmpty, asyncio.QueueShutDown) as e:
                    return name(e)
                except ValueError:
                    return "refused"
            case "join":
                await self.queue.join()
                return "on"
            case "shutdown":
                self.queue.shutdown(immediate=args[0])
                return "on"
            case "barrier_wait":
                await self.barrier.wait()
                return "on"
            case "barrier_end":
                await (self.barrier.abort() if args[0] else self.barrier.reset())
                return "on"
            case "condition_wait":
                async with self.condition:
                    await self.condition.wait()
                return "on"
            case "condition_notify":
                async with self.condition:
                    self.condition.notify(args[0])
                return "on"
            case "group":
                async with Group() as group:
                    self.groups.append(group)
                    for i, script in enumerate(args[0]):
                        group.create_task(self.run(f"{here}c{i}", script))
                    await self.run(here, args[1])
                return "joined"
            case "group_task":
                return self.group_task(self.run(here + "g", args[0]))
        raise AssertionError(kind)

    async def as_completed(self, futures):
        """The order of those that are done already is a set's, so there may be only one."""
        if sum(f.done() for f in futures) > 1:
            return "skipped"
        said = []
        for step in asyncio.as_completed(futures):
            try:
                said.append(value(await step))
            except Exception as e:
                said.append(name(e))
        return value(said)

    def group_task(self, coro):
        """A task of the group that was made last, if that still takes tasks."""
        if not self.groups:
            coro.close()
            return "none"
        try:
            self.spawned.append(self.groups[-1].create_task(coro))
            return "on"
        except RuntimeError:
            coro.close()
            return "refused"


class Run:
    """What kit.trace runs."""

    def __init__(self, program):
        self.program = program

    async def main(self, log):
        p = Program(self.program, log)
        await turns(LIMIT)
        for _ in range(10):
            for i, t in enumerate(p.tasks + p.spawned):
                if t.cancel():
                    log(f"end {i}")
            await turns(5)
        for i, t in enumerate(p.tasks + p.spawned):
            log(f"{i} {state(t)}, cancelling {t.cancelling()}")
        p.log = lambda event: None
        while len(asyncio.all_tasks()) > 1:  # children of a group that kept a cancellation back
            for t in asyncio.all_tasks() - {asyncio.current_task()}:
                t.cancel()
            await turns(2)


if __name__ == "__main__":
    count, first = [int(a) for a in sys.argv[1:]] + [COUNT, 0][len(sys.argv) - 1 :]
    rows = []
    for seed in range(first, first + count):
        program = Generator(seed).program()
        lines = trace(Run(program)).splitlines()
        rows.append(json.dumps({"seed": seed, "program": program, "trace": [l for l in lines if " handler: " not in l]}, separators=(",", ":")))
    print("[\n" + ",\n".join(rows) + "\n]")
