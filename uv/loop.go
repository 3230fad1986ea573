//go:build cgo

package uv

// The loop: its options, its states, and the ways to run it. What happens in one turn is
// in turn.go.
//
// States: idle -> running -> idle ... -> closed. Running begins and ends on one
// goroutine; a run inside a run, or beside one, is refused with ErrLoopRunning.

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seed-a026a017/asyncio/cbridge"
	"github.com/seed-a026a017/asyncio/uv/internal/wait"
)

// Forever, as a timeout, is no limit.
const Forever time.Duration = 1<<63 - 1

// Loop is an event loop, uv_loop_t.
type Loop struct {
	b *cbridge.Loop
	submission
	turnState
	waiter wait.Waiter
	sleep  wait.Sleep // wake-ups, the clock, and how long the loop has waited

	streams []*Stream                // by slot: what the bridge's records are for
	bridged map[uint32]bridgedHandle // by slot: handles of libuv's that are no streams
	locals  []Handle                 // handles without a slot, in no order; each knows its index
	refs    int                      // handles that are active in Go and referenced
	reqs    map[uint64]*Req          // by id: the bridge's, or below 1<<32 that of QueueWork's
	workID  uint64                   // the last of QueueWork's

	counted map[uint32]*Stream // by slot: the listener, of connections whose number it limits

	timers timerQueue
	phases [phaseKinds]phaseList
	inbox  inbox

	state  atomic.Uint32 // loopIdle, loopRunning, loopClosed
	stop   atomic.Bool
	checks bool
	whole  bool          // the run has come to its end: no panic leaves it
	goid   atomic.Uint64 // under WithChecks: the goroutine that runs the loop
	uses   uint64        // bumped by the loop's methods, so that -race names a trespasser
	value  any
	leaks  *leakTracker // nil without WithLeakReport
}

const (
	loopIdle uint32 = iota
	loopRunning
	loopClosed
)

// Option changes how NewLoop makes a loop.
type Option func(*config)

type config struct {
	checks    bool
	wait      Wait
	leak      func(Leak)
	meter     bool
	configure []int // options of libuv's
}

// WithChecks finds mistakes at a price: a method that is called from a goroutine other
// than the one that runs the loop panics with ErrWrongGoroutine and its name, and the
// bytes given to a read callback are overwritten with 0xDB after the turn.
func WithChecks() Option { return func(c *config) { c.checks = true } }

// WithWait chooses how the loop waits. The default is WaitBlock.
func WithWait(w Wait) Option { return func(c *config) { c.wait = w } }

// WithIdleMetrics has Loop.IdleTime count; UV_METRICS_IDLE_TIME.
func WithIdleMetrics() Option { return func(c *config) { c.meter = true } }

// WithBlockSIGPROF keeps a profiler's SIGPROF from ending the waits of libuv's poll;
// UV_LOOP_BLOCK_SIGNAL.
func WithBlockSIGPROF() Option {
	return func(c *config) { c.configure = append(c.configure, cbridge.BlockSIGPROF) }
}

// WithIOUring lets libuv 1.49 and later give operations on files to a thread of the
// kernel's; UV_LOOP_USE_IO_URING_SQPOLL. With an earlier one NewLoop fails with
// ErrNotSupported.
func WithIOUring() Option {
	return func(c *config) { c.configure = append(c.configure, cbridge.UseIOUring) }
}

// NewLoop makes a loop; uv_loop_init. It must be closed with Close or Shutdown.
func NewLoop(opts ...Option) (*Loop, error) {
	var c config
	for _, o := range opts {
		o(&c)
	}
	b, code := cbridge.NewLoop()
	if code != 0 {
		return nil, &Error{Op: "loop_init", Errno: Errno(code)}
	}
	for _, option := range c.configure {
		if code := b.Configure(option); code != 0 {
			b.Close()
			closeWake(b)
			return nil, since("loop_configure", 49, code)
		}
	}
	l := &Loop{b: b, checks: c.checks, sleep: wait.Sleep{Base: time.Now()}}
	if c.meter {
		l.sleep.Meter()
	}
	l.submission.init(b)
	l.inbox.loop = l
	l.waiter = newWaiter(l, c.wait)
	if c.leak != nil {
		l.leaks = trackLeaks(l, c.leak)
	}
	return l, nil
}

// use opens every method that is for the loop's goroutine.
func (l *Loop) use(method string) {
	l.uses++
	if l.checks {
		l.check(method)
	}
}

// begin takes the loop for a run on this goroutine.
func (l *Loop) begin() error {
	if !l.state.CompareAndSwap(loopIdle, loopRunning) {
		if l.state.Load() == loopClosed {
			return ErrClosed
		}
		return ErrLoopRunning
	}
	if l.checks {
		l.goid.Store(goroutineID())
	}
	return nil
}

// end is deferred: a callback may panic, or end the goroutine, and the loop must be fit
// for the next run.
func (l *Loop) end() {
	if l.checks {
		l.goid.Store(0)
	}
	l.state.CompareAndSwap(loopRunning, loopIdle)
}

// leave is end of what runs callbacks. A panic, or the end of the goroutine, must leave
// terminals to their users.
func (l *Loop) leave() {
	if !l.whole {
		l.restoreTerminals()
	}
	l.whole = false
	l.end()
}

// RunMode is how long Run runs, uv_run_mode.
type RunMode int

const (
	RunDefault RunMode = iota // until nothing is alive, or Stop
	RunOnce                   // until something has been reported; waits for it
	RunNoWait                 // one turn, without waiting
)

// Run runs the loop; uv_run. It reports whether something is still alive. The error is
// ErrClosed or ErrLoopRunning.
func (l *Loop) Run(mode RunMode) (more bool, err error) {
	if err := l.begin(); err != nil {
		return false, err
	}
	defer l.leave()
	if mode == RunNoWait {
		l.once(0, false)
	}
	for before := l.calls; mode != RunNoWait && l.alive() && !l.stop.Load(); {
		l.once(Forever, true)
		if mode == RunOnce && l.calls != before {
			break
		}
	}
	l.whole = true
	l.stop.Store(false)
	return l.alive(), nil
}

// RunForever runs the loop until Stop or until ctx is done, also while nothing is alive.
// It returns nil after Stop, the cause of ctx's end, ErrClosed or ErrLoopRunning.
func (l *Loop) RunForever(ctx context.Context) error {
	if err := l.begin(); err != nil {
		return err
	}
	defer l.leave()
	defer context.AfterFunc(ctx, l.Wake)()
	for !l.stop.Load() && ctx.Err() == nil {
		l.once(Forever, false)
	}
	l.whole = true
	if l.stop.Swap(false) {
		return nil
	}
	return context.Cause(ctx)
}

// Poll runs one turn, waiting at most timeout for something to happen even if nothing is
// alive; 0 does not wait. It may return earlier. It is for embedding the loop in another
// one. The error is ErrClosed or ErrLoopRunning.
func (l *Loop) Poll(timeout time.Duration) error {
	if err := l.begin(); err != nil {
		return err
	}
	defer l.leave()
	l.once(timeout, false)
	l.whole = true
	return nil
}

// Stop ends the run at the end of its turn; uv_stop. If the loop does not run, it ends
// the next Run or RunForever before its first turn. It may be called from any goroutine.
func (l *Loop) Stop() {
	l.stop.Store(true)
	l.Wake()
}

// Alive reports whether Run(RunDefault) would have something to do: an active handle with
// a reference, a request, or something to report; uv_loop_alive.
func (l *Loop) Alive() bool {
	l.use("Loop.Alive")
	if l.state.Load() == loopClosed {
		return false
	}
	l.flush()
	return l.alive()
}

// stirred tells that a direct call may have given libuv something to do, which its last
// answer does not know.
func (l *Loop) stirred() { l.b.Flags |= cbridge.TurnAlive }

// alive may answer true for operations that have still to be flushed: the turn that does
// so does not wait for nothing.
func (l *Loop) alive() bool {
	return l.nops > 0 || l.b.Flags&cbridge.TurnAlive != 0 || l.refs > 0 || l.restless() || !l.inbox.empty()
}

// Close releases the loop; uv_loop_close. It returns ErrBusy while handles are left,
// closing ones included, and while requests are outstanding, ErrLoopRunning from inside a
// run, and ErrClosed the second time.
func (l *Loop) Close() error {
	if err := l.begin(); err != nil {
		return err
	}
	defer l.end()
	l.flush()
	if l.b.Handles > 0 || len(l.locals) > 0 || len(l.answers)+len(l.deferred) > 0 || len(l.reqs) > 0 {
		return ErrBusy
	}
	l.inbox.close()
	l.waiter.Close()
	if code := l.b.Close(); code != 0 {
		panic(&Error{Op: "loop_close", Errno: Errno(code)})
	}
	l.submission = submission{}
	closeWake(l.b)
	if l.leaks != nil {
		l.leaks.cleanup.Stop()
	}
	l.state.Store(loopClosed)
	return nil
}

// Shutdown closes every handle, cancels the requests that have not begun, but lets files
// and directories close, runs the loop until all are over, and closes the loop. It gives
// up with the cause of ctx's end; the loop is then as a Run would leave it.
func (l *Loop) Shutdown(ctx context.Context) error {
	defer context.AfterFunc(ctx, l.Wake)()
	for {
		for h := range l.Handles() { // also what a callback has opened, and accepted connections
			h.Close()
		}
		for _, r := range l.reqs {
			if r.fs == nil || !r.fs.closes() {
				_ = r.cancel() // one that runs is waited for
			}
		}
		if err := l.Close(); err != ErrBusy {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		wait := time.Duration(0)
		if l.b.Handles == 0 && len(l.locals) == 0 {
			wait = Forever
		}
		if err := l.Poll(wait); err != nil {
			return err
		}
	}
}

// Handles goes over the handles that are not closed yet, closing ones included. Handles
// may be made and closed meanwhile.
func (l *Loop) Handles() iter.Seq[Handle] {
	return func(yield func(Handle) bool) {
		var all []Handle
		for _, s := range l.streams {
			if s != nil {
				all = append(all, s.Handle())
			}
		}
		for _, slot := range slices.Sorted(maps.Keys(l.bridged)) {
			all = append(all, l.bridged[slot])
		}
		all = append(all, l.locals...)
		for _, h := range all {
			if !yield(h) {
				return
			}
		}
	}
}

// Walk calls f for every handle; uv_walk. f may close handles.
func (l *Loop) Walk(f func(Handle)) {
	l.use("Loop.Walk")
	for h := range l.Handles() {
		f(h)
	}
}

// Now is the loop's clock in whole milliseconds, as of the last turn or UpdateTime;
// uv_now. Once the loop is closed it stands still.
func (l *Loop) Now() time.Duration { return time.Duration(l.b.Now) * time.Millisecond }

// Clock is the time since the loop was made, from the monotonic clock that timers use. It
// may be called from any goroutine.
func (l *Loop) Clock() time.Duration { return l.sleep.Clock() }

// Waited is how long the turns so far have waited, all in all, and when, by Clock, the
// last wait was over and its events read; uv_metrics_idle_time.
func (l *Loop) Waited() (total, until time.Duration) {
	l.use("Loop.Waited")
	return l.sleep.Total()
}

// UpdateTime brings Now up to date; uv_update_time. Timers do not need it: starting one
// reads the clock.
func (l *Loop) UpdateTime() {
	l.use("Loop.UpdateTime")
	if l.state.Load() != loopClosed {
		l.b.UpdateTime()
	}
}

// BackendFD is a descriptor that becomes readable when a turn would find something;
// uv_backend_fd. It belongs to the loop. Its user runs Poll(0) once before it waits,
// because operations reach the kernel in a turn only, and again whenever Poll has
// reported something. BackendTimeout bounds the wait. From the first call on, Post and
// Wake make the descriptor readable too.
func (l *Loop) BackendFD() (int, error) {
	l.use("Loop.BackendFD")
	if l.state.Load() == loopClosed {
		return -1, ErrClosed
	}
	l.sleep.Embed()
	return l.b.BackendFD(), nil
}

// BackendTimeout is how long a turn would wait at most now, 0 if it would not wait and
// Forever without limit; uv_backend_timeout.
func (l *Loop) BackendTimeout() time.Duration {
	l.use("Loop.BackendTimeout")
	if l.state.Load() == loopClosed {
		return 0
	}
	l.flush()
	if !l.alive() || l.b.BackendTimeout() == 0 && l.b.Flags&cbridge.TurnAlive != 0 {
		return 0
	}
	return l.pollTimeout(Forever)
}

// SetValue keeps a value with the loop, and Value returns it; uv_loop_set_data and
// uv_loop_get_data.
func (l *Loop) SetValue(v any) { l.value = v }

// Value is what SetValue was given last.
func (l *Loop) Value() any { return l.value }

// Version is the version of libuv that is linked.
func Version() (major, minor, patch int) {
	v := cbridge.Version()
	return int(v >> 16), int(v >> 8 & 255), int(v & 255)
}

// VersionString is the version of libuv that is linked, as text.
func VersionString() string { return cbridge.VersionString() }
