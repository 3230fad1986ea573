package asyncio

// Who awaits what. Nothing is kept for this: whatever waits for a future stands in that
// future's list, and says here for which future or task it stands there. So an edge is
// there exactly as long as the wait, and costs nothing until somebody looks.

import (
	"fmt"
	"slices"
	"strings"
)

// CallGraph is a future or task with what awaits it: asyncio.FutureCallGraph. It is a
// copy: later events do not change it.
type CallGraph struct {
	Future AnyFuture
	Name   string // a task's; "" for a future
	// Stack is where a task is suspended, newest call first, without the calls of this
	// package. It is nil for a future, for a task that is done or has not begun, and for
	// one that is creating an eager task.
	Stack []FrameCallGraph
	// AwaitedBy is what waits for Future, in the order in which it began to wait. One
	// that waits for it on several ways is the same *CallGraph everywhere.
	AwaitedBy []*CallGraph
	// Cycle tells that Future waits, in the end, for itself: it is one of those through
	// which this place was reached. Stack and AwaitedBy are left out here.
	Cycle bool
}

// CaptureCallGraph is f with its stack and all that awaits it, directly or not:
// asyncio.capture_call_graph. The edges are Await, Gather, Shield, Wait, AsCompleted and
// TaskGroup. For nil it is the graph of the current task, nil in a callback; it panics
// with ErrNoRunningLoop where no loop runs. Any goroutine: one that is not the loop's
// waits until the loop is between two callbacks; while the loop does not run, nobody else
// may use it. If the loop was closed meanwhile, only
// Future is set.
func CaptureCallGraph(f AnyFuture) *CallGraph {
	if f == nil {
		l := loopHere()
		if l == nil {
			panic(misuse(ErrNoRunningLoop, "CaptureCallGraph was given no future outside of a loop's callbacks and tasks"))
		}
		if l.current == nil {
			return nil
		}
		f = l.current.self
	}
	c := graphCapture{open: make(map[*future]bool), done: make(map[*future]*CallGraph)}
	graph := &CallGraph{Future: f}
	f.Loop().ask(func() { graph = c.node(f) })
	return graph
}

// graphCapture is one call of CaptureCallGraph.
type graphCapture struct {
	open map[*future]bool // on the way to the node that is being made
	done map[*future]*CallGraph
}

func (c *graphCapture) node(f AnyFuture) *CallGraph {
	base := f.base()
	if g := c.done[base]; g != nil {
		return g
	}
	g := &CallGraph{Future: f}
	t, isTask := f.(typedTask)
	if isTask {
		g.Name = t.Name()
	}
	if c.open[base] {
		g.Cycle = true
		return g
	}
	if isTask {
		frames, _ := t.frames()
		g.Stack = frames.user()
	}
	c.open[base] = true
	for _, w := range base.waiters() {
		if w, ok := w.(follower); ok {
			if waiting := w.follows(); waiting != nil {
				g.AwaitedBy = append(g.AwaitedBy, c.node(waiting))
			}
		}
	}
	delete(c.open, base)
	c.done[base] = g
	return g
}

// follower is a waiter on behalf of a future or task.
type follower interface {
	// follows is that future or task; nil if it does not wait just now.
	follows() AnyFuture
}

func (t *task) follows() AnyFuture { return t.self }

func (link *gatherLink) follows() AnyFuture { return link.g.outer }

func (s *shielding[T]) follows() AnyFuture { return s.outer }

func (c *groupChild) follows() AnyFuture { return c.group.scope.task.self }

func (link *waitLink) follows() AnyFuture { return link.w.enough.follows() }

func (link *completionLink) follows() AnyFuture {
	order := link.noter.Value()
	if order == nil {
		return nil
	}
	return order.change.follows()
}

func (p *waitPoint) follows() AnyFuture {
	if p.task == nil {
		return nil
	}
	return p.task.self
}

// Format is the graph as text, one line for each call and each thing that waits:
// asyncio.format_call_graph. Tasks that await each other in a circle are named.
func (g *CallGraph) Format() string {
	w := graphWriter{written: make(map[*CallGraph]bool)}
	w.write(g)
	return w.text.String()
}

type graphWriter struct {
	text    strings.Builder
	path    []*CallGraph
	written map[*CallGraph]bool
}

func (w *graphWriter) line(format string, args ...any) {
	w.text.WriteString(strings.Repeat("    ", len(w.path)))
	fmt.Fprintf(&w.text, format, args...)
	w.text.WriteByte('\n')
}

func (w *graphWriter) write(g *CallGraph) {
	w.line("* %s", g.describe())
	if g.Cycle {
		w.line("  ! Await cycle: %s", w.cycle(g))
		return
	}
	if len(g.Stack) > 0 {
		w.line("  + Call stack:")
		for _, f := range g.Stack {
			w.line("  |   File %q, line %d, in %s()", f.File, f.Line, f.Function)
		}
	}
	if len(g.AwaitedBy) == 0 {
		return
	}
	if w.written[g] {
		w.line("  + Awaited by: as above")
		return
	}
	w.written[g] = true
	w.line("  + Awaited by:")
	w.path = append(w.path, g)
	for _, waiting := range g.AwaitedBy {
		w.write(waiting)
	}
	w.path = w.path[:len(w.path)-1]
}

// cycle says who awaits whom, from g back to itself.
func (w *graphWriter) cycle(g *CallGraph) string {
	names := []string{g.shortName()}
	for _, above := range slices.Backward(w.path) {
		names = append(names, above.shortName())
		if above.Future == g.Future {
			break
		}
	}
	return strings.Join(names, " awaits ")
}

func (g *CallGraph) describe() string {
	if g.Name == "" {
		return fmt.Sprintf("Future(id=%p)", g.Future)
	}
	return fmt.Sprintf("Task(name=%q, id=%p)", g.Name, g.Future)
}

func (g *CallGraph) shortName() string {
	if g.Name == "" {
		return g.describe()
	}
	return g.Name
}
