// Random programs whose traces CPython left: testdata/random/generate.py makes
// both, and describes the programs. The interpreter below is the twin of the one there,
// statement by statement.
package oracle_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// randomPrograms is how many of them programs.json keeps. generate.py makes any number of
// others, and the environment variable ASYNCIO_ORACLE_PROGRAMS names a file of those.
const randomPrograms = 300

// oracleTurns is how long a program may run before what is left of it is cancelled.
const oracleTurns = 25

type randomProgram struct {
	Futures int
	Tasks   [][]statement
	Eager   []bool
}

// statement is the name of a statement and its arguments.
type statement []any

func TestOracleRandom(t *testing.T) {
	name := os.Getenv("ASYNCIO_ORACLE_PROGRAMS")
	others := name != ""
	if !others {
		name = filepath.Join(oracleDir, "random", "programs.json")
	}
	file, err := os.ReadFile(name)
	require.NoError(t, err)
	var rows []struct {
		Seed    int
		Program randomProgram
		Trace   []string
	}
	require.NoError(t, json.Unmarshal(file, &rows))
	if !others {
		require.Len(t, rows, randomPrograms)
	}
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		for _, row := range rows {
			t.Run(strconv.Itoa(row.Seed), func(t *testing.T) {
				got := runOracle(asynciotest.New(t, opts...), true, func(l *asyncio.Loop, log logFunc) {
					asynciotest.InTask(t, l, func(ctx context.Context) { runRandomProgram(ctx, log, row.Program) })
				})
				got = removeReports(got)
				require.Equal(t, row.Trace, got)
			})
		}
	})
}

// removeReports drops what the exception handler heard: when a lost failure is reported
// is the collector's business.
func removeReports(lines []string) []string {
	var kept []string
	for _, line := range lines {
		if !strings.Contains(line, " handler: ") {
			kept = append(kept, line)
		}
	}
	return kept
}

// oracleRun is a program that runs.
type oracleRun struct {
	log       logFunc
	futures   []*asyncio.Future[string]
	tasks     []*asyncio.Task[string]
	spawned   []*asyncio.Task[asyncio.None]
	scopes    []*asyncio.TimeoutScope
	groups    []*asyncio.TaskGroup
	lock      *asyncio.Lock
	event     *asyncio.Event
	condition *asyncio.Condition
	semaphore *asyncio.Semaphore
	barrier   *asyncio.Barrier
	queue     *asyncio.Queue[string]
}

func runRandomProgram(ctx context.Context, log logFunc, program randomProgram) {
	p := &oracleRun{
		log: log, lock: asyncio.NewLock(), event: asyncio.NewEvent(), condition: asyncio.NewCondition(nil),
		semaphore: asyncio.NewSemaphore(2), barrier: asyncio.NewBarrier(2), queue: asyncio.NewQueue[string](1),
	}
	for range program.Futures {
		p.futures = append(p.futures, asyncio.NewFuture[string](testkit.LoopOf(ctx)))
	}
	for i, script := range program.Tasks {
		name := fmt.Sprintf("t%d", i)
		tk := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
			return name, p.run(ctx, name, script)
		}, asyncio.EagerStart(program.Eager[i]))
		p.tasks = append(p.tasks, tk) // an eager one has looked at them
	}
	testkit.Suspend(ctx, oracleTurns)
	for range 10 {
		for i, tk := range p.everything() {
			if tk.Cancel() {
				log("end %d", i)
			}
		}
		testkit.Suspend(ctx, 5)
	}
	for i, tk := range p.tasks {
		log("%d %s, cancelling %d", i, testkit.StateOf(tk), tk.Cancelling())
	}
	for i, tk := range p.spawned {
		log("%d %s, cancelling %d", len(p.tasks)+i, testkit.StateOf(tk), tk.Cancelling())
	}
	p.log = func(string, ...any) {}
	me := asyncio.CurrentTask(ctx)
	// What is left are children of a group that kept a cancellation back.
	for l := testkit.LoopOf(ctx); len(asyncio.AllTasks(l)) > 1; testkit.Suspend(ctx, 2) {
		for _, tk := range asyncio.AllTasks(l) {
			if tk != me {
				tk.Cancel()
			}
		}
	}
}

func (p *oracleRun) everything() []asyncio.AnyTask {
	var all []asyncio.AnyTask
	for _, tk := range p.tasks {
		all = append(all, tk)
	}
	for _, tk := range p.spawned {
		all = append(all, tk)
	}
	return all
}

// run runs a script of statements up to the first that fails.
func (p *oracleRun) run(ctx context.Context, who string, script []statement) error {
	for i, s := range script {
		here := fmt.Sprintf("%s.%d", who, i)
		said, err := p.statement(ctx, here, s)
		if err != nil {
			p.log("%s %s: %s", here, s[0], testkit.ErrName(err))
			return err
		}
		p.log("%s %s: %s", here, s[0], said)
	}
	return nil
}

// statement runs one and returns what the trace says of it.
func (p *oracleRun) statement(ctx context.Context, here string, s statement) (string, error) {
	switch s[0] {
	case "yield":
		return "on", testkit.Suspend(ctx, s.int(1))
	case "await":
		return p.find(s[1]).Await(ctx)
	case "shield":
		return asyncio.Shield(ctx, p.find(s[1])).Await(ctx)
	case "cancel", "uncancel":
		return p.cancel(s[0] == "cancel", s.int(1)), nil
	case "cancel_last":
		if len(p.spawned) == 0 {
			return "none", nil
		}
		return testkit.Flag(p.spawned[len(p.spawned)-1].Cancel()), nil
	case "set":
		if err := p.futures[s.int(1)].SetResult(fmt.Sprintf("f%d", s.int(1))); err != nil {
			return testkit.ErrName(err), nil
		}
		return "yes", nil
	case "cancel_future":
		return testkit.Flag(p.futures[s.int(1)].Cancel()), nil
	case "raise":
		return "", errors.New(s[1].(string))
	case "wait_for":
		return asyncio.WaitFor(ctx, p.find(s[1]), time.Duration(s.int(2))*time.Second)
	case "wait_for_coro":
		_, err := asyncio.WaitFor(ctx, asyncio.Do(func(ctx context.Context) error {
			return p.run(ctx, here, s.script(1))
		}), time.Duration(s.int(2))*time.Second)
		return "nil", err
	case "gather":
		return p.gather(ctx, s[1].(bool), s[2].([]any))
	case "wait":
		return p.wait(ctx, asyncio.When(s.int(1)), s[2].([]any))
	case "as_completed":
		return p.asCompleted(ctx, s[1].([]any))
	case "reschedule":
		return p.reschedule(testkit.LoopOf(ctx), s[1].(bool)), nil
	case "callback":
		p.callback(here, p.find(s[1]))
		return "on", nil
	case "call_soon":
		testkit.LoopOf(ctx).CallSoon(func() { p.log("%s called", here) })
		return "on", nil
	}
	if said, err, ok := p.synchronise(ctx, here, s); ok {
		return said, err
	}
	return p.block(ctx, here, s)
}

// synchronise runs a statement about an event, a condition, a barrier or a queue.
func (p *oracleRun) synchronise(ctx context.Context, here string, s statement) (said string, err error, ok bool) {
	said = "on"
	switch s[0] {
	case "event_wait":
		err = p.event.Wait(ctx)
	case "event_set":
		p.event.Set()
	case "event_clear":
		p.event.Clear()
	case "barrier_wait":
		_, err = p.barrier.Wait(ctx)
	case "barrier_end":
		if s[1].(bool) {
			p.barrier.Abort()
		} else {
			p.barrier.Reset()
		}
	case "put":
		err = p.queue.Put(ctx, here)
	case "get":
		said, err = p.queue.Get(ctx)
	case "condition_wait":
		err = p.condition.With(ctx, func() error { return p.condition.Wait(ctx) })
	case "condition_notify":
		err = p.condition.With(ctx, func() error {
			p.condition.Notify(s.int(1))
			return nil
		})
	case "join":
		err = p.queue.Join(ctx)
	case "shutdown":
		p.queue.Shutdown(s[1].(bool))
	case "put_nowait":
		if err := p.queue.PutNowait(here); err != nil {
			said = testkit.ErrName(err)
		}
	case "get_nowait":
		said = getNowait(p.queue)
	case "task_done":
		said = attempt("on", p.queue.TaskDone)
	default:
		return "", nil, false
	}
	return said, err, true
}

// block runs a statement that has statements inside.
func (p *oracleRun) block(ctx context.Context, here string, s statement) (string, error) {
	switch s[0] {
	case "swallow":
		err := p.run(ctx, here, s.script(1))
		if _, cancelled := err.(*asyncio.CancelledError); cancelled {
			return testkit.ErrName(err), nil
		}
		return "nothing", err
	case "catch":
		if err := p.run(ctx, here, s.script(1)); err != nil {
			return testkit.ErrName(err), nil
		}
		return "nothing", nil
	case "finally":
		err := p.run(ctx, here, s.script(1))
		if newer := p.run(ctx, here+"f", s.script(2)); newer != nil {
			err = newer
		}
		return "on", err
	case "timeout":
		scope := asyncio.NewTimeout(asyncio.Forever)
		if s[1].(bool) {
			scope = asyncio.NewTimeout(0)
		}
		p.scopes = append(p.scopes, scope)
		return "in time", scope.Run(ctx, func(ctx context.Context) error {
			err := p.run(ctx, here, s.script(2))
			p.log("%s expired %s, cancelling %d", here, testkit.Flag(scope.Expired()), asyncio.CurrentTask(ctx).Cancelling())
			return err
		})
	case "lock":
		return "on", p.lock.With(ctx, func() error { return p.run(ctx, here, s.script(1)) })
	case "semaphore":
		return "on", p.semaphore.With(ctx, func() error { return p.run(ctx, here, s.script(1)) })
	case "spawn":
		tk := asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
			return p.run(ctx, here+"s", s.script(2))
		}), asyncio.EagerStart(s[1].(bool)))
		p.spawned = append(p.spawned, tk) // an eager one may have added others
		return "on", nil
	case "group_task":
		return p.groupTask(func(ctx context.Context) error { return p.run(ctx, here+"g", s.script(1)) }), nil
	case "group":
		return "joined", asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
			p.groups = append(p.groups, tg)
			for i, child := range s[1].([]any) {
				tg.Go(func(ctx context.Context) error {
					return p.run(ctx, fmt.Sprintf("%sc%d", here, i), toScript(child))
				})
			}
			return p.run(ctx, here, s.script(2))
		})
	}
	panic(fmt.Sprintf("unknown statement %v", s))
}

// cancel asks a task to end, or takes that back, if the task is there already.
func (p *oracleRun) cancel(request bool, i int) string {
	switch {
	case i >= len(p.tasks):
		return "none"
	case request:
		return testkit.Flag(p.tasks[i].Cancel())
	}
	return strconv.Itoa(p.tasks[i].Uncancel())
}

func (p *oracleRun) callback(here string, aw asyncio.Awaitable[string]) {
	switch f := aw.(type) {
	case *asyncio.Future[string]:
		f.AddDoneCallback(func(f *asyncio.Future[string]) { p.log("%s called: %s", here, testkit.StateOf(f)) })
	case *asyncio.Task[string]:
		f.AddDoneCallback(func(t *asyncio.Task[string]) { p.log("%s called: %s", here, testkit.StateOf(t)) })
	}
}

// groupTask starts a task of the group that was made last, if that still takes tasks.
func (p *oracleRun) groupTask(fn func(ctx context.Context) error) string {
	if len(p.groups) == 0 {
		return "none"
	}
	return attempt("on", func() {
		tk := p.groups[len(p.groups)-1].Go(fn)
		if tk.Done() {
			panic(tk.Exception())
		}
		p.spawned = append(p.spawned, tk)
	})
}

func (p *oracleRun) asCompleted(ctx context.Context, references []any) (string, error) {
	done := 0
	aws := make([]asyncio.Awaitable[string], len(references))
	for i, r := range references {
		aws[i] = p.find(r)
		if aws[i].(asyncio.AnyFuture).Done() {
			done++
		}
	}
	if done > 1 {
		return "skipped", nil
	}
	var said []string
	for _, r := range asyncio.AsCompleted(ctx, aws...) {
		switch {
		case errors.Is(r.Err, asyncio.ErrCancelled):
			return "", r.Err
		case r.Err != nil:
			said = append(said, testkit.ErrName(r.Err))
		default:
			said = append(said, r.Value)
		}
	}
	return testkit.ValueName(said), nil
}

func (p *oracleRun) gather(ctx context.Context, collect bool, references []any) (string, error) {
	aws := make([]asyncio.Awaitable[string], len(references))
	for i, r := range references {
		aws[i] = p.find(r)
	}
	if collect {
		v, err := asyncio.GatherResults(ctx, aws...).Await(ctx)
		return testkit.ValueName(v), err
	}
	v, err := asyncio.Gather(ctx, aws...).Await(ctx)
	return testkit.ValueName(v), err
}

func (p *oracleRun) wait(ctx context.Context, when asyncio.When, references []any) (string, error) {
	fs := make([]asyncio.AnyFuture, len(references))
	for i, r := range references {
		fs[i] = p.find(r).(asyncio.AnyFuture)
	}
	done, _, err := asyncio.Wait(ctx, fs, asyncio.ReturnWhen(when))
	var places []string
	for i, f := range fs {
		if slices.Contains(done, f) {
			places = append(places, strconv.Itoa(i))
		}
	}
	return testkit.ValueName(places), err
}

// reschedule moves the deadline of the scope that was made last to now, or takes it away.
func (p *oracleRun) reschedule(l *asyncio.Loop, now bool) string {
	if len(p.scopes) == 0 {
		return "none"
	}
	when := asyncio.Forever
	if now {
		when = l.Time()
	}
	return testkit.Flag(p.scopes[len(p.scopes)-1].Reschedule(when) == nil)
}

// find is the future or task that a reference names.
func (p *oracleRun) find(reference any) asyncio.Awaitable[string] {
	r := reference.([]any)
	i := int(r[1].(float64))
	if r[0] == "future" {
		return p.futures[i]
	}
	return p.tasks[i]
}

func (s statement) int(i int) int { return int(s[i].(float64)) }

func (s statement) script(i int) []statement { return toScript(s[i]) }

func toScript(v any) []statement {
	var script []statement
	for _, s := range v.([]any) {
		script = append(script, statement(s.([]any)))
	}
	return script
}
