// Random programs. A program is a handful of tasks, each a list of steps that use the
// whole package: locks, semaphores, conditions, events, barriers, queues, timeouts,
// groups, gathers, waits, shields and cancellations, one inside the other. Nobody knows
// what a program ought to print; what is known is what must hold whatever it does. So it
// runs with a model of each primitive beside it, and before and after every step:
//
//   - a task is in exactly one of running, ready, suspended and done, and what it waits
//     for will wake it, once;
//   - nobody waits for what is there: no wake is lost;
//   - permits and items are neither lost nor made, and a lock has one holder;
//   - locks and permits are handed over in the order of arrival, items in the order of
//     the queue;
//   - a task has as many requests to cancel as were made and not taken back, and is
//     interrupted no more often;
//   - a wait that succeeds has a cause, and one that fails has been cancelled.
//
// At the end nothing is left: no task, timer, handle or goroutine. Time is a number that
// moves only when the loop would wait, so that a program takes as long as its steps, and
// does the same whenever it is run.
//
// A failure prints the shortest program that fails, and the -rapid.seed with which `go
// test -run TestRandomPrograms .` begins with it. Without the flag the programs are the
// same in every run; those of `make check` are new each time.
package asyncio_test

import (
	cmdline "flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
)

// shrinkTimeMax is how long a failing program is shortened.
const shrinkTimeMax = 10 * time.Second

func TestRandomPrograms(t *testing.T) {
	setRapid(t, "checks", randomProgramCount)
	setRapid(t, "shrinktime", shrinkTimeMax)
	setRapid(t, "nofailfile", true)
	for i, d := range asynciotest.Drivers() {
		t.Run(d.String(), func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			if first := randomProgramSeed; first > 0 {
				setRapid(t, "seed", first+i)
			}
			rapid.Check(t, func(rt *rapid.T) {
				p := rapid.Custom(drawProgram).Draw(rt, "program")
				if fault, trace := runProgram(p, asyncio.WithDriver(d)); fault != "" {
					rt.Logf("what happened:\n%s", strings.Join(trace, "\n"))
					rt.Fatalf("%s", fault)
				}
			})
		})
	}
}

// setRapid sets a flag of rapid for the test, unless the command line has it.
func setRapid(t *testing.T, name string, value any) {
	given := false
	cmdline.Visit(func(f *cmdline.Flag) { given = given || f.Name == "rapid."+name })
	if given {
		return
	}
	f := cmdline.Lookup("rapid." + name)
	before := f.Value.String()
	require.NoError(t, f.Value.Set(fmt.Sprint(value)))
	t.Cleanup(func() { require.NoError(t, f.Value.Set(before)) })
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

// Kinds of steps. A program has few families of them, so that its tasks meet at the same
// primitives.
var (
	alwaysSteps = []string{"yield", "sleep", "cancel"}
	families    = [][]string{
		{"event", "event set", "event clear"},
		{"bell", "ring", "cancel"},
		{"take", "take", "give"},
		{"barrier", "barrier", "cancel"},
		{"barrier", "barrier", "barrier", "reset", "abort"},
		{"put", "get", "cancel"},
		{"put", "get", "put now", "get now", "task done", "join", "shutdown"},
		{"await", "shield", "wait for"},
		{"await", "gather", "wait", "completed"},
		{"set", "fail", "drop"},
		{"uncancel", "move", "end group"},
		{"raise", "panic"},
		{"later"},
	}
	blockFamilies = [][]string{
		{"lock"}, {"permit"}, {"permit", "lock"}, {"catch", "finally"}, {"timeout", "within"}, {"group", "join group"},
		{"spawn"}, {"gather all"},
	}
	laterSteps = []string{"cancel", "set", "fail", "drop", "event set", "event clear", "put now", "get now", "task done", "reset", "abort"}
)

// Bounds of what is drawn.
const (
	tasksMax     = 10
	familiesMax  = 3 // of leaves, and of blocks
	stepsMax     = 6 // in a list, and two less for each step around it
	bodyDepthMax = 2 // how deep steps stand in each other
	numberMax    = 11
)

func drawProgram(t *rapid.T) program {
	p := program{
		permits: 1 + pick(t, 3), parties: 1 + pick(t, 3), room: pick(t, 3), order: queueOrder(pick(t, 3)),
		eager: pick(t, 8) == 7, abrupt: pick(t, 8) == 7,
	}
	leaves, blocks := alwaysSteps, []string(nil)
	for range 1 + pick(t, familiesMax) {
		leaves = append(leaves, families[pick(t, len(families))]...)
	}
	for range pick(t, familiesMax+1) {
		blocks = append(blocks, blockFamilies[pick(t, len(blockFamilies))]...)
	}
	list := rapid.Custom(func(t *rapid.T) []step { return drawSteps(t, leaves, blocks, 0) })
	p.tasks = several(t, list, tasksMax)
	return p
}

// pick draws a number below n, all alike: rapid's own generators prefer small ones.
func pick(t *rapid.T, n int) int {
	v := 0
	for range 8 {
		v <<= 1
		if rapid.Bool().Draw(t, "bit") {
			v++
		}
	}
	return v * n >> 8
}

func drawSteps(t *rapid.T, leaves, blocks []string, depth int) []step {
	one := rapid.Custom(func(t *rapid.T) step { return drawStep(t, leaves, blocks, depth) })
	return several(t, one, stepsMax-2*depth)
}

// several draws up to max things, and not often few: rapid's slices of five have two
// elements on average. Three slices together have six, and a failing program is still
// shortened as if it were one.
func several[T any](t *rapid.T, one *rapid.Generator[T], max int) []T {
	var all []T
	for range 3 {
		all = append(all, rapid.SliceOfN(one, 0, max).Draw(t, "some")...)
	}
	return all[:min(len(all), max)]
}

func drawStep(t *rapid.T, leaves, blocks []string, depth int) step {
	kinds := leaves
	if depth < bodyDepthMax && len(blocks) > 0 && pick(t, 2) == 1 {
		kinds = blocks
	}
	s := step{what: kinds[pick(t, len(kinds))], n: pick(t, numberMax+1), ticks: pick(t, 6) + noLimit, flag: pick(t, 2) == 1}
	body := func() []step { return drawSteps(t, leaves, blocks, depth+1) }
	switch s.what {
	case "gather", "wait", "completed":
		for range 1 + pick(t, 3) {
			s.of = append(s.of, pick(t, numberMax+1))
		}
	case "later":
		s.body = []step{{what: laterSteps[pick(t, len(laterSteps))], n: s.n, flag: s.flag}}
	case "finally", "group", "gather all":
		s.body, s.other = body(), body()
	case "lock", "permit", "catch", "timeout", "within", "spawn", "join group":
		s.body = body()
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
