// Random programs. A program is a handful of tasks, each a list of steps that use the whole package: locks, semaphores,
// conditions, events, barriers, queues, timeouts, groups, gathers, waits, shields and cancellations, one inside the other.
// Nobody knows what a program ought to print; what is known is what must hold whatever it does. So it runs with a model of
// each primitive beside it, and before and after every step:
//
//   - a task is in exactly one of running, ready, suspended and done, and what it waits for will wake it, once;
//   - nobody waits for what is there: no wake is lost;
//   - permits and items are neither lost nor made, and a lock has one holder;
//   - locks and permits are handed over in the order of arrival, items in the order of the queue;
//   - a task has as many requests to cancel as were made and not taken back, and is interrupted no more often;
//   - a wait that succeeds has a cause, and one that fails has been cancelled.
//
// At the end nothing is left: no task, timer, handle or goroutine. Time is a number that moves only when the loop would
// wait, so that a program takes as long as its steps, and does the same whenever it is run.
//
// A failure prints the shortest program that fails, and the -rapid.seed with which `go test -run TestRandomPrograms .`
// begins with it. The programs are the same in every run, but for other ones with that flag; `make check` takes new ones.
package asyncio_test

import (
	cmdline "flag"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-a026a017/asyncio"
)

// shrinkTimeMax is how long a failing program is shortened.
const shrinkTimeMax = "10s"

func TestRandomPrograms(t *testing.T) {
	defaults := map[string]string{
		"rapid.checks": fmt.Sprint(randomProgramCount), "rapid.seed": fmt.Sprint(randomProgramSeed),
		"rapid.shrinktime": shrinkTimeMax, "rapid.nofailfile": "true",
	}
	cmdline.Visit(func(f *cmdline.Flag) { delete(defaults, f.Name) })
	for name, value := range defaults {
		f := cmdline.Lookup(name)
		before := f.Value.String()
		require.NoError(t, f.Value.Set(value))
		t.Cleanup(func() { require.NoError(t, f.Value.Set(before)) })
	}
	for _, d := range drivers() {
		t.Run(d.name, func(t *testing.T) {
			noLeaks(t)
			rapid.Check(t, func(rt *rapid.T) {
				p := rapid.Custom(drawProgram).Draw(rt, "program")
				if fault, trace := runProgram(p, asyncio.WithDriver(d.driver)); fault != "" {
					rt.Logf("what happened:\n%s", strings.Join(trace, "\n"))
					rt.Fatalf("%s", fault)
				}
			})
		})
	}
}

// program is what a world is made from, and what its tasks do.
type program struct {
	permits, parties, room int // of the semaphore, the barrier and the queue
	order                  queueOrder
	eager                  bool // tasks of the loop are
	abrupt                 bool // the loop is closed as soon as nothing happens any more, whatever waits
	tasks                  [][]step
}

type queueOrder int

const (
	oldestFirst queueOrder = iota
	youngestFirst
	leastFirst
)

// step is one statement. Which of the fields mean something depends on what.
type step struct {
	what  string
	n     int    // which task or future; how many
	ticks int    // of the clock; noLimit: none
	flag  bool   // a variant
	of    []int  // several tasks or futures
	body  []step // what runs inside
	other []step // what runs besides
}

// noLimit is a number of ticks.
const noLimit = -1

// Kinds of steps. Those of one kind are drawn alike; simple ones come first, for shorter programs.
var (
	plainSteps = []string{"yield", "sleep", "event", "put", "get", "barrier", "bell", "ring", "take", "give", "join"}
	awaitSteps = []string{"await", "shield", "gather", "wait", "completed", "wait for"}
	quickSteps = []string{
		"cancel", "cancel", "cancel", "uncancel", "set", "fail", "drop", "event set", "event clear", "put now", "get now",
		"task done", "reset", "abort", "shutdown", "move", "end group", "raise", "panic", "later",
	}
	laterSteps = []string{"cancel", "set", "fail", "drop", "event set", "event clear", "put now", "get now", "task done", "reset", "abort"}
	blockSteps = []string{"lock", "permit", "catch", "finally", "timeout", "within", "group", "spawn", "join group", "gather all"}
)

// bodyDepthMax bounds how deep steps stand in each other.
const bodyDepthMax = 3

func drawProgram(t *rapid.T) program {
	return program{
		permits: rapid.IntRange(1, 3).Draw(t, "permits"),
		parties: rapid.IntRange(1, 3).Draw(t, "parties"),
		room:    rapid.IntRange(0, 2).Draw(t, "room"),
		order:   rapid.SampledFrom([]queueOrder{oldestFirst, youngestFirst, leastFirst}).Draw(t, "order"),
		eager:   oneIn(t, 8),
		abrupt:  oneIn(t, 8),
		tasks:   rapid.SliceOfN(rapid.Custom(func(t *rapid.T) []step { return drawSteps(t, 0) }), 1, 7).Draw(t, "tasks"),
	}
}

func oneIn(t *rapid.T, n int) bool { return rapid.IntRange(0, n-1).Draw(t, "one in") == n-1 }

func drawSteps(t *rapid.T, depth int) []step {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step { return drawStep(t, depth) }), 0, 5-depth).Draw(t, "steps")
}

func drawStep(t *rapid.T, depth int) step {
	kinds := [][]string{plainSteps, quickSteps, awaitSteps, blockSteps}
	if depth == bodyDepthMax {
		kinds = kinds[:3]
	}
	s := step{
		what:  rapid.SampledFrom(rapid.SampledFrom(kinds).Draw(t, "kind")).Draw(t, "what"),
		n:     rapid.IntRange(0, 11).Draw(t, "n"),
		ticks: rapid.IntRange(noLimit, 4).Draw(t, "ticks"),
		flag:  rapid.Bool().Draw(t, "flag"),
	}
	switch s.what {
	case "gather", "wait", "completed":
		s.of = rapid.SliceOfN(rapid.IntRange(0, 11), 1, 3).Draw(t, "of")
	case "later":
		s.body = []step{{what: rapid.SampledFrom(laterSteps).Draw(t, "what"), n: s.n, flag: s.flag}}
	case "finally", "group", "gather all":
		s.body, s.other = drawSteps(t, depth+1), drawSteps(t, depth+1)
	case "lock", "permit", "catch", "timeout", "within", "spawn", "join group":
		s.body = drawSteps(t, depth+1)
	}
	return s
}

// GoString is how a failure shows the program.
func (p program) GoString() string {
	var b strings.Builder
	fmt.Fprintf(&b, "permits %d, parties %d, room %d, order %d, eager %v, abrupt %v", p.permits, p.parties, p.room, p.order, p.eager, p.abrupt)
	for i, steps := range p.tasks {
		fmt.Fprintf(&b, "\ntask %d", i)
		writeSteps(&b, steps, 1)
	}
	return b.String()
}

func writeSteps(b *strings.Builder, steps []step, depth int) {
	indent := "\n" + strings.Repeat("    ", depth)
	for _, s := range steps {
		fmt.Fprintf(b, "%s%s", indent, s)
		writeSteps(b, s.body, depth+1)
		if len(s.other) > 0 {
			fmt.Fprintf(b, "%sand", indent)
			writeSteps(b, s.other, depth+1)
		}
	}
}

func (s step) String() string {
	text := fmt.Sprintf("%s n=%d ticks=%d flag=%v", s.what, s.n, s.ticks, s.flag)
	if len(s.of) > 0 {
		text += fmt.Sprintf(" of=%v", s.of)
	}
	return text
}
