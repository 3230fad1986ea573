// Package asyncio is Python's asyncio for Go: an event loop that runs tasks one at a
// time, so that they share data without locks, and futures, cancellation, timeouts, task
// groups, streams and transports on top of it. The loop runs on libuv, or on package net
// where cgo is off.
//
// A coroutine is a func(ctx context.Context) (T, error). The context says which task
// runs: pass on the one that was given. A function that may suspend takes a context and
// says so in the last line of its comment.
package asyncio

// The loop. Everything that user code sees happens in a turn, on the goroutine that runs
// the loop:
//
//	poll     look at the outside world; handlers of what happened there run
//	timers   those that are due join the ready queue
//	ready    exactly the callbacks that are ready at this moment run; what they add
//	         waits for the next turn
//
// A poll waits only if nothing is ready. While callbacks keep coming it need not happen
// every turn: it is left out as long as few callbacks have run since the last one and
// they were quick.

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/seed-a026a017/asyncio/internal/goid"
	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/internal/timerheap"
)

// How long I/O may go unpolled while callbacks are ready. A poll that finds nothing costs
// about 1 us; a callback that only switches tasks 0.2 us.
const (
	unpolledCallbacksMax = 61
	unpolledTimeMax      = 100 * time.Microsecond
)

// Forever is no timeout: where asyncio takes None.
const Forever = proactor.Forever

type loopState int32

const (
	loopIdle loopState = iota
	loopRunning
	loopClosed
)

// Loop is an event loop: asyncio.AbstractEventLoop. Its methods are for the goroutine
// that runs it, and before a run for the one that made it, unless they say otherwise.
type Loop struct {
	pro          proactor.Proactor
	ready        readyQueue
	timers       timerheap.Heap[timed]
	sleepers     *sleeper // free ones
	idleSleepers int      // their number
	inbox        inbox
	tasks        taskList
	coroutines   coroutinePool
	owned        ownedSet
	features     []feature
	current      *task      // the task that runs, nil in a callback
	deputy       *coroutine // of the task that stands in for the loop
	inspected    *coroutine // waits for what it has resumed, and is to look at its own frames
	unwinding    *coroutine // suspended in a Goexit or panic; the loop resumes it once the deputy has suspended

	state      atomic.Int32 // a loopState
	stopping   bool
	inTurn     bool
	batch      int // callbacks that this turn has still to run
	counters   loopCounters
	unpolled   int // callbacks since the last poll
	pollBudget int // callbacks until the next poll
	polledAt   int64
	goroutine  atomic.Uintptr // that runs the loop, or is locked to it

	driver       Driver
	debug        bool
	lockedThread bool
	eager        bool // tasks start inside the call that makes them
	labels       bool // profiles tell tasks apart
	slowCallback time.Duration
	stall        stallWatch
	outsiders    outsiderList
	handler      func(*Loop, ErrorContext)
	logger       *slog.Logger
	context      *loopContext
	failures     failureList
	epoch        time.Time       // the moment at which Time was 0
	ended        doneSignal      // by Close
	unclosed     runtime.Cleanup // tells of a loop that was dropped without Close
}

// NewEventLoop makes a loop: asyncio.new_event_loop. Close it in the end. The error is
// the driver's, which may not be built in or cannot open its descriptors, or
// ErrLoopRunning for WithLockedThread inside a loop.
func NewEventLoop(opts ...Option) (*Loop, error) {
	c := newConfig(opts)
	if c.lockedThread && loopHere() != nil {
		return nil, fmt.Errorf("%w: WithLockedThread would lock it to its thread; make the loop in a goroutine of its own", ErrLoopRunning)
	}
	goid.FindThreadLock()
	pro, err := newProactor(c.driver, c.lockedThread)
	if err != nil {
		return nil, err
	}
	l := &Loop{pro: pro, driver: c.driver, debug: c.debug, slowCallback: slowCallbackDefault, logger: c.logger, eager: c.eager}
	l.inbox.limit, l.labels = c.inboxLimit, c.labels
	l.context = &loopContext{Context: c.base, loop: l}
	for _, set := range c.setup {
		set(l)
	}
	l.epoch = time.Now().Add(-pro.Now())
	if c.lockedThread {
		l.lockThread()
	}
	l.unclosed = l.watchUnclosed()
	return l, nil
}

// Context is the loop's own context, for CreateTask and the like from callbacks and
// before the run. Any goroutine.
func (l *Loop) Context() context.Context { return l.context }

// Driver is what the loop runs on. Any goroutine.
func (l *Loop) Driver() Driver { return l.driver }

// Time is the loop's clock, monotonic, from an arbitrary moment: loop.time. Any
// goroutine.
func (l *Loop) Time() time.Duration { return l.pro.Now() }

// IsRunning reports whether the loop runs: loop.is_running. Any goroutine.
func (l *Loop) IsRunning() bool { return loopState(l.state.Load()) == loopRunning }

// IsClosed reports whether the loop was closed: loop.is_closed. Any goroutine.
func (l *Loop) IsClosed() bool { return loopState(l.state.Load()) == loopClosed }

// Stop ends the run at the end of the current turn; what that turn's callbacks have added
// waits for the next run: loop.stop. Before a run it makes that run one turn, which polls
// without waiting. Other goroutines use CallSoonThreadsafe(l.Stop).
func (l *Loop) Stop() {
	if l.debug {
		l.checkGoroutine("Loop.Stop")
	}
	l.stopping = true
}

// RunForever runs the loop until Stop: loop.run_forever. It returns ErrLoopClosed, or
// ErrLoopRunning if this loop runs or another one runs in this goroutine. A panic of a
// callback goes to the exception handler; runtime.Goexit in one unwinds RunForever and
// leaves the loop fit for the next run.
//
// A loop may run in one goroutine after another. Once a task has begun, all of them must
// be locked to the same thread, as often, or none: else the error is ErrWrongLoop. A task
// that has locked its goroutine with runtime.LockOSThread cannot suspend, its Await
// returns ErrInvalidState; a task or callback that ends so is unlocked. Where the loop's
// goroutine is locked itself, as by WithLockedThread, the runtime ends the process if a
// task suspends with one lock more than that.
func (l *Loop) RunForever() error {
	if err := l.beginRun(); err != nil {
		return err
	}
	defer l.endRun()
	return l.run()
}

// beginRun makes the calling goroutine the loop's, or tells why the loop cannot be run
// here and now.
func (l *Loop) beginRun() error {
	switch {
	case l.IsClosed():
		return fmt.Errorf("%w: it cannot run again; make a new one", ErrLoopClosed)
	case l.IsRunning():
		return fmt.Errorf("%w: this loop runs already", ErrLoopRunning)
	case loopHere() != nil:
		return fmt.Errorf("%w: another loop runs in this goroutine; create a task on it, or run this loop in a goroutine of its own",
			ErrLoopRunning)
	case l.lockedThread && goid.Self() != l.goroutine.Load():
		return fmt.Errorf("%w: WithLockedThread binds the loop to the goroutine that made it; run it there", ErrWrongLoop)
	}
	now := l.pro.Now()
	l.inbox.mu.Lock()
	defer l.inbox.mu.Unlock()
	if !l.state.CompareAndSwap(int32(loopIdle), int32(loopRunning)) {
		return fmt.Errorf("%w: another goroutine runs it", ErrLoopRunning)
	}
	if err := l.coroutines.switchable(); err != nil {
		l.state.Store(int32(loopIdle))
		return err
	}
	self := goid.Self()
	goroutineLoops.Store(self, l)
	l.goroutine.Store(self)
	l.counters.since = now
	return nil
}

// endRun is deferred, since a Goexit in a callback unwinds the run.
func (l *Loop) endRun() {
	l.stopping, l.inTurn, l.batch = false, false, 0
	l.current = nil
	l.inbox.asleep.Store(false)
	goroutineLoops.Delete(goid.Self())
	if !l.lockedThread {
		l.goroutine.Store(0)
	}
	l.counters.ran += l.pro.Now() - l.counters.since
	l.state.Store(int32(loopIdle))
	l.inbox.runEnded()
}

// run runs turns until Stop, whatever panics in them.
func (l *Loop) run() error {
	for {
		if panicked, err := l.runTurns(); !panicked {
			return err
		}
	}
}

// runTurns runs turn after turn until Stop. If a callback panics, it reports that and
// returns; called again it goes on with the rest of the turn. One frame for all turns
// keeps a switch between tasks short.
func (l *Loop) runTurns() (panicked bool, err error) {
	var r runnable
	defer func() {
		if r == nil {
			return
		}
		if v := recover(); v != nil {
			panicked = true
			if t := l.current; t != nil { // not always the one that the loop has resumed
				r, l.current = t, nil
			}
			l.callbackPanicked(r, v)
		}
	}()
	for {
		if !l.inTurn {
			if err := l.beginTurn(); err != nil {
				return false, err
			}
		}
		for l.batch > 0 {
			l.batch--
			if r = l.ready.pop(); r == nil {
				continue // cancelled
			}
			if l.debug {
				l.runTimed(r)
			} else if t, ok := r.(*task); !ok {
				r.run(l)
			} else if c := t.begin(l); c != nil { // this is t.run, without its frame
				c.resume()
				l.goOnUnwinding()
				l.current = nil
			}
		}
		r = nil
		l.inTurn = false
		if l.stopping {
			l.stopping = false
			return false, nil
		}
	}
}

// beginTurn polls, if it is time, and counts the callbacks that are ready.
func (l *Loop) beginTurn() error {
	if l.mustPoll() || l.stopping {
		if err := l.poll(); err != nil {
			return err
		}
	} else if l.inbox.filled.Load() {
		l.drainInbox()
	}
	l.inTurn = true
	l.countTurn()
	return nil
}

func (l *Loop) mustPoll() bool { return l.ready.len() == 0 || l.unpolled >= l.pollBudget }

// pollNextTurn makes the next turn poll: something waits for a poll to leave. So it waits
// for the rest of this turn at most.
func (l *Loop) pollNextTurn() { l.pollBudget = 0 }

func (l *Loop) countTurn() {
	l.batch = l.ready.len()
	l.unpolled += l.batch
	l.counters.turns++
	l.counters.callbacks += uint64(l.batch)
}

// poll looks at the outside world and readies the timers that are due.
func (l *Loop) poll() error {
	busy := l.ready.len() > 0
	l.ready.trim()
	timeout := l.pollTimeout()
	if timeout != 0 {
		l.inbox.asleep.Store(true)
		if l.inbox.filled.Load() {
			timeout = 0
		}
	}
	err := l.pro.Poll(timeout)
	l.inbox.asleep.Store(false)
	if l.outsiders.resting.Load() {
		l.outsiders.lookAgain()
	}
	if err != nil {
		return fmt.Errorf("asyncio: the loop's driver failed: %w", err)
	}
	l.drainInbox()
	if timeout != 0 {
		l.counters.wakeups++
	}
	_, now := l.pro.Waited()
	if busy || l.timers.Len() > 0 {
		now = l.pro.Now()
		l.readyTimers(int64(now))
		l.setPollBudget(int64(now), busy)
	}
	l.publishStats(now)
	l.unpolled = 0
	return nil
}

// pollTimeout is how long the poll may wait.
func (l *Loop) pollTimeout() time.Duration {
	if l.ready.len() > 0 || l.stopping {
		return 0
	}
	when, ok := l.timers.Next()
	if !ok {
		return l.idleTimeout()
	}
	now := l.pro.Now()
	if time.Duration(when) <= now { // the difference of extremes is not what it seems
		return 0
	}
	return time.Duration(when) - now
}

// setPollBudget lets as many callbacks go unpolled as ran in unpolledTimeMax lately.
func (l *Loop) setPollBudget(now int64, busy bool) {
	elapsed := now - l.polledAt
	l.polledAt = now
	l.pollBudget = 1
	if busy && l.unpolled > 0 {
		l.pollBudget = int(max(1, min(unpolledCallbacksMax, int64(l.unpolled)*int64(unpolledTimeMax)/max(1, elapsed))))
	}
}

// Close releases the loop: loop.close. The error is ErrLoopRunning while the loop runs;
// again, it does nothing. Callbacks and timers that wait are dropped. Tasks that are
// suspended see ErrLoopClosed in their Await and are reported, as are failures that
// nobody has looked at. All is released also if code that runs meanwhile panics or calls
// runtime.Goexit. A loop that ran in a goroutine that was locked to its thread is closed
// there, else the error is ErrWrongLoop; any other one is closed in any goroutine.
func (l *Loop) Close() (err error) {
	switch {
	case l.IsClosed():
		return nil
	case l.lockedThread && goid.Self() != l.goroutine.Load():
		return fmt.Errorf("%w: WithLockedThread binds the loop to the goroutine that made it; close it there", ErrWrongLoop)
	case !l.state.CompareAndSwap(int32(loopIdle), int32(loopClosed)):
		return fmt.Errorf("%w: cannot close a running event loop; stop it first", ErrLoopRunning)
	}
	if err := l.coroutines.switchable(); err != nil && l.coroutines.lock != 0 {
		l.state.Store(int32(loopIdle))
		return err
	}
	// Deferred, since code of the user's that runs here may panic or call runtime.Goexit.
	defer func() {
		err = l.pro.Close()
		l.ended.end(ErrLoopClosed)
		if l.lockedThread {
			l.unlockThread()
		}
	}()
	defer l.failures.reportAll(l)
	defer l.closeFeatures()
	defer l.dropCallbacks()
	l.unclosed.Stop()
	l.inbox.close()
	l.closeOutsiders() // first, since tasks that end may wait for goroutines
	l.endTasks()
	return nil
}

// endTasks unwinds the coroutines; if the calling goroutine is locked to its thread, in
// another one.
func (l *Loop) endTasks() {
	if l.coroutines.switchable() == nil {
		l.coroutines.close()
		l.tasks.abandon(l)
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.coroutines.close()
		l.tasks.abandon(l)
	}()
	<-done
}

func (l *Loop) dropCallbacks() {
	l.owned.abandon(l)
	l.ready.clear()
	l.timers.Clear()
	l.sleepers, l.idleSleepers = nil, 0
}

// mustBeOpen panics if the loop is closed and, in debug mode, if the caller is not the
// loop's goroutine.
func (l *Loop) mustBeOpen(method string) {
	if l.IsClosed() {
		panic(misuse(ErrLoopClosed, "%s needs an open loop", method))
	}
	if l.debug {
		l.checkGoroutine(method)
	}
}

// GetRunningLoop is the loop that runs ctx's task or callback: asyncio.get_running_loop.
// The error is ErrNoRunningLoop.
func GetRunningLoop(ctx context.Context) (*Loop, error) {
	if l := loopOf(ctx); l != nil && l.IsRunning() {
		return l, nil
	}
	return nil, fmt.Errorf("%w: the context belongs to none; use the one that a coroutine was given, or Loop.Context()", ErrNoRunningLoop)
}

// GetEventLoop is the running loop of ctx, else the one that WithEventLoop put there:
// asyncio.get_event_loop. The error is ErrNoRunningLoop.
func GetEventLoop(ctx context.Context) (*Loop, error) {
	if l := loopOf(ctx); l != nil {
		return l, nil
	}
	return nil, fmt.Errorf("%w: and none was set with WithEventLoop", ErrNoRunningLoop)
}

// WithEventLoop makes l the event loop of code that is given the context:
// asyncio.set_event_loop. It panics with ErrInvalidArgument if ctx is nil.
func WithEventLoop(ctx context.Context, l *Loop) context.Context {
	if ctx == nil {
		panic(misuse(ErrInvalidArgument, "WithEventLoop was given a nil context"))
	}
	return &loopContext{Context: ctx, loop: l}
}
