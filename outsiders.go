package asyncio

// Outsiders of a loop: connections and the like on which goroutines may wait for it, or
// tasks in calls that show no context. Such a call tempts to two mistakes, and both stop
// the loop for ever. A task may block on a mutex that another task holds while it waits
// in such a call; or on what a goroutine sends, which itself waits for the loop.
//
// So as long as there are outsiders, and the loop does not sleep, somebody looks at it,
// in an interval that is half of the time for which the loop may stand still. If it has
// neither slept nor polled since the last look, the stacks of its goroutines are looked
// at: exactly one of them is in control, the others wait in the switch of coroutines. If
// that one is blocked, in the same task and the same place in two looks, and calls wait
// for the loop meanwhile, the log says so: what is told is only what was seen.

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-a026a017/asyncio/internal/goid"
)

// outsider is something on which calls wait for the loop. Its methods are called in any
// goroutine.
type outsider interface {
	// waits says who waits now, and where.
	waits() []string
	// loopClosed ends all that wait.
	loopClosed()
}

// outsiderWaitsMax bounds the calls that a report names.
const outsiderWaitsMax = 8

// outsiderList is the outsiders of a loop, and who looks at it for them.
type outsiderList struct {
	mu       sync.Mutex
	all      map[outsider]struct{}
	closed   bool
	limit    time.Duration // that the loop may stand still; 0: a second
	timer    *time.Timer   // nil: nobody looks
	turns    uint64        // of the last look
	seen     blockedPlace  // where the loop was blocked in the last look
	reported blockedPlace  // what was logged last
	resting  atomic.Bool   // nobody looks, since the loop sleeps; it ends that when it wakes
}

// blockedPlace is where the goroutine in control of a loop is blocked.
type blockedPlace struct {
	task  *task // nil: a callback
	state string
	stack string
}

// add counts g in; false if the loop is closed.
func (l *Loop) addOutsider(g outsider) bool {
	s := &l.outsiders
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.all == nil {
		s.all = make(map[outsider]struct{})
	}
	s.all[g] = struct{}{}
	if s.timer == nil {
		s.timer = time.AfterFunc(s.interval(), l.lookForBlocked)
	}
	return true
}

func (l *Loop) removeOutsider(g outsider) {
	s := &l.outsiders
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, g)
}

// closeOutsiders ends what waits for a loop that is closed.
func (l *Loop) closeOutsiders() {
	s := &l.outsiders
	s.mu.Lock()
	s.closed = true
	all := slices.Collect(maps.Keys(s.all))
	s.all = nil
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	for _, g := range all {
		g.loopClosed()
	}
}

// interval is the time from one look to the next.
func (s *outsiderList) interval() time.Duration {
	limit := s.limit
	if limit == 0 {
		limit = stallPerSlow * slowCallbackDefault
	}
	return max(limit/2, time.Millisecond)
}

// setLimit sets how long the loop may stand still.
func (s *outsiderList) setLimit(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = d
	if s.timer != nil {
		s.timer.Reset(s.interval())
	}
}

// lookAgain is called by a loop that has slept while nobody looked.
func (s *outsiderList) lookAgain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.resting.CompareAndSwap(true, false) && !s.closed {
		s.timer.Reset(s.interval())
	}
}

// rests reports whether to look no more, since the loop sleeps. A loop that has woken
// before it could see so is looked at further.
func (l *Loop) rests() bool {
	s := &l.outsiders
	if !l.inbox.asleep.Load() {
		return false
	}
	s.resting.Store(true)
	return l.inbox.asleep.Load() || !s.resting.CompareAndSwap(true, false)
}

// lookForBlocked is a look at the loop. The next one follows, unless there are no
// outsiders, or the loop sleeps.
func (l *Loop) lookForBlocked() {
	s := &l.outsiders
	turns := l.publishedTurns()
	s.mu.Lock()
	still := turns == s.turns && l.IsRunning() && !l.inbox.asleep.Load()
	s.turns = turns
	before := s.seen
	s.seen = blockedPlace{}
	if !still {
		s.reported = blockedPlace{}
	}
	all := slices.Collect(maps.Keys(s.all))
	s.mu.Unlock()
	if still {
		waits := waitsOf(all) // before the look at the stacks: so they wait while the loop is blocked
		place := l.blockedPlace()
		s.mu.Lock()
		s.seen = place
		tell := place.state != "" && len(waits) > 0 && place == before && place != s.reported
		if tell {
			s.reported = place
		}
		s.mu.Unlock()
		if tell {
			l.reportBlocked(place, waits)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
	case len(s.all) == 0:
		s.timer = nil
	case !l.rests():
		s.timer.Reset(s.interval())
	}
}

func waitsOf(all []outsider) (waits []string) {
	for _, g := range all {
		waits = append(waits, g.waits()...)
	}
	slices.Sort(waits)
	return waits
}

// publishedTurns is the number of turns at the last poll.
func (l *Loop) publishedTurns() uint64 {
	l.counters.mu.Lock()
	defer l.counters.mu.Unlock()
	return l.counters.published.Turns
}

// blockingStates are those of a goroutine that waits for another one, or for a peer, as
// the runtime names them. A sleep ends by itself.
var blockingStates = map[string]bool{
	"IO wait": true, "chan receive": true, "chan receive (nil chan)": true, "chan send": true, "chan send (nil chan)": true,
	"select": true, "select (no cases)": true, "semacquire": true, "sync.Cond.Wait": true, "sync.Mutex.Lock": true,
	"sync.RWMutex.Lock": true, "sync.RWMutex.RLock": true, "sync.WaitGroup.Wait": true,
}

// blockedPlace is where the loop's goroutine in control is blocked; a zero one: it is
// not, or nobody knows.
func (l *Loop) blockedPlace() blockedPlace {
	numbers := make(map[uint64]bool)
	goroutineLoops.Range(func(g, loop any) bool {
		if loop == l {
			numbers[goid.Number(g.(uintptr))] = true
		}
		return true
	})
	delete(numbers, 0)
	before := l.currentSeen()
	number, state, stack := inControl(numbers)
	t := l.currentSeen()
	if !blockingStates[state] || strings.Contains(stack, pollFrame) || t != before {
		return blockedPlace{}
	}
	if t != nil && goid.Number(t.goroutine.Load()) != number {
		t = nil
	}
	return blockedPlace{task: t, state: state, stack: stack}
}

// pollFrame is on the stack of a loop that waits for the outside world.
const pollFrame = "asyncio.(*Loop).poll("

// currentSeen is the task that runs, seen from another goroutine. It is only believed if
// the loop's goroutine was blocked meanwhile, and is that of the task: then nobody writes
// the field. No lock can be had from one who is blocked, so the race detector is told not
// to look.
//
//go:norace
func (l *Loop) currentSeen() *task { return l.current }

// inControl finds, among goroutines of these numbers, the one that does not wait in the
// switch of coroutines, with its state and its frames. There is none if several do not.
func inControl(numbers map[uint64]bool) (number uint64, state, stack string) {
	for block := range strings.SplitSeq(allStacks(), "\n\n") {
		n, st, frames := parseStack(block)
		if !numbers[n] || strings.HasPrefix(st, "coroutine") {
			continue
		}
		if number != 0 {
			return 0, "", ""
		}
		number, state, stack = n, st, frames
	}
	return number, state, stack
}

const (
	stacksBytesMin = 64 << 10
	stacksBytesMax = 64 << 20
)

// allStacks is the stacks of all goroutines.
func allStacks() string {
	for size := stacksBytesMin; ; size *= 4 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size || size >= stacksBytesMax {
			return string(bytes.TrimRight(buf[:n], "\n"))
		}
	}
}

// parseStack takes a stack apart that begins so:
// "goroutine 7 [chan receive, 2 minutes]:".
func parseStack(block string) (number uint64, state, frames string) {
	head, frames, _ := strings.Cut(block, "\n")
	rest, found := strings.CutPrefix(head, "goroutine ")
	if !found {
		return 0, "", ""
	}
	digits, rest, _ := strings.Cut(rest, " ")
	number, _ = strconv.ParseUint(digits, 10, 64)
	_, rest, _ = strings.Cut(rest, "[")
	if end := strings.IndexAny(rest, ",]"); end >= 0 {
		state = rest[:end]
	}
	return number, state, frames
}

// reportBlocked logs it at once. An exception handler of the program's hears of it as
// well, once the loop goes on, if ever: it runs on the loop's goroutine.
func (l *Loop) reportBlocked(p blockedPlace, waits []string) {
	who, report := "A callback", ErrorContext{}
	if p.task != nil {
		who, report.Task = p.task.Name(), p.task.self
	}
	if more := len(waits) - outsiderWaitsMax; more > 0 {
		waits = append(waits[:outsiderWaitsMax:outsiderWaitsMax], fmt.Sprintf("and %d more", more))
	}
	call, place := blockingCall(p.stack)
	report.Message = who + " blocks its loop on what may need the loop to end: it stands in " + call + ", and calls wait for the loop " +
		"meanwhile. Await instead, or leave such code to ToThread; hold no mutex around a call that may suspend, use a Lock"
	report.SourceTraceback = p.stack
	l.post(callback(func() {
		if l.handler != nil {
			l.CallExceptionHandler(report)
		}
	}))
	l.log().Error(report.Message,
		"task", who, "state", p.state, "call", call, "place", place, "waiting", strings.Join(waits, "; "), "stack", p.stack)
}

// blockingCall is the user's call that blocks, and the line from which it was made: the
// first function outside of the runtime's and of package sync, and of this module.
func blockingCall(stack string) (call, place string) {
	lines := strings.Split(stack, "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		name := lines[i]
		if open := strings.LastIndexByte(name, '('); open > 0 {
			name = name[:open]
		}
		at, _, _ := strings.Cut(strings.TrimSpace(lines[i+1]), " ")
		if call == "" && !inside(name, "runtime.", "internal/", "sync.runtime_", "internal/sync.") {
			call = name
		}
		file, _, _ := strings.Cut(at, ".go:")
		if !inside(name, "runtime.", "internal/", "sync.") && !ours(path.Clean(file+".go")) {
			return call, at
		}
	}
	return call, ""
}

func inside(name string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}
