package asyncio

// The contexts of this package. A coroutine's context is its task; the body of a Timeout
// or TaskGroup gets a scope. Both are contexts of our own making, so that Await
// recognises them, Done costs nothing until somebody asks for it, and a deadline is a
// timer of the loop. Values come from the context below, which is what makes asyncio's
// copy of the context at create_task free.

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// ownKey finds the innermost context of ours below a context that the caller derived;
// loopKey finds the loop.
type (
	ownKey  struct{}
	loopKey struct{}
)

// ownContext is a *taskContext or a *scope.
type ownContext interface {
	context.Context
	ownTask() *task
	ownForeign() context.Context
}

// taskContext is a task, seen as the context of its coroutine.
type taskContext task

func (c *taskContext) ownTask() *task              { return (*task)(c) }
func (c *taskContext) ownForeign() context.Context { return nil }

// Deadline implements context.Context: a task has none.
func (c *taskContext) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements context.Context: it is closed once Cancel was called.
func (c *taskContext) Done() <-chan struct{} { return c.ended.done() }

// Err implements context.Context: context.Canceled once Cancel was called.
func (c *taskContext) Err() error { return c.ended.err() }

// AfterFunc lets package context follow the task without a goroutine.
func (c *taskContext) AfterFunc(fn func()) (stop func() bool) { return c.ended.afterFunc(fn) }

// Value implements context.Context: the values of the context that the task was made
// with.
func (c *taskContext) Value(key any) any {
	switch key.(type) {
	case ownKey:
		return ownContext(c)
	case loopKey:
		return c.loop
	}
	return c.parent.Value(key)
}

// valuesOf is where ctx's values come from, below the contexts of ours. A task that kept
// the context of the task that made it would keep that alive, and so a chain of tasks
// that grows for ever where each starts the next.
func valuesOf(ctx context.Context) context.Context {
	for {
		switch c := ctx.(type) {
		case *taskContext:
			ctx = c.parent
		case *scope:
			ctx = c.parent
		default:
			return ctx
		}
	}
}

// scope is the context of a body that can be interrupted on its own: by a deadline, or
// because a sibling failed.
type scope struct {
	parent  context.Context
	task    *task
	foreign context.Context // the derived context below, whose end ends the scope too; nil: none
	outer   *scope          // the scope around this one
	limit   atomic.Int64    // the deadline on the loop's clock, counted back from Forever, so that 0 is none
	ended   doneSignal
}

// openScope makes the innermost scope of a's task.
func (a awaiter) openScope(ctx context.Context, s *scope) {
	s.parent, s.task, s.foreign, s.outer = ctx, a.task, a.foreign, a.task.co.scopes
	a.task.co.scopes = s
	if err := ctx.Err(); err != nil {
		s.ended.end(err)
	}
}

// close ends the scope: whatever still holds its context sees it done.
func (s *scope) close() {
	if c := s.task.co; c != nil {
		c.scopes = s.outer
	}
	s.ended.end(context.Canceled)
}

func (s *scope) ownTask() *task              { return s.task }
func (s *scope) ownForeign() context.Context { return s.foreign }

// Deadline implements context.Context.
func (s *scope) Deadline() (time.Time, bool) {
	outer, limited := s.parent.Deadline()
	if limit := s.limit.Load(); limit != 0 {
		if own := s.task.loop.epoch.Add(Forever - time.Duration(limit)); !limited || own.Before(outer) {
			return own, true
		}
	}
	return outer, limited
}

// Done implements context.Context.
func (s *scope) Done() <-chan struct{} {
	s.followForeign()
	return s.ended.done()
}

// Err implements context.Context.
func (s *scope) Err() error {
	if err := s.ended.err(); err != nil || s.foreign == nil {
		return err
	}
	return s.foreign.Err()
}

// AfterFunc lets package context follow the scope without a goroutine.
func (s *scope) AfterFunc(fn func()) (stop func() bool) {
	s.followForeign()
	return s.ended.afterFunc(fn)
}

// followForeign passes the end of a derived context on to who watches the scope.
func (s *scope) followForeign() {
	if s.foreign != nil {
		s.ended.follow(s.foreign)
	}
}

// Value implements context.Context.
func (s *scope) Value(key any) any {
	if _, ok := key.(ownKey); ok {
		return ownContext(s)
	}
	return s.parent.Value(key)
}

// loopContext is the context of a loop outside its tasks.
type loopContext struct {
	context.Context
	loop *Loop
}

func (c *loopContext) Value(key any) any {
	switch key.(type) {
	case loopKey:
		return c.loop
	}
	return c.Context.Value(key)
}

// loopOf is the loop of ctx's task, else the one that ctx was given, or nil.
func loopOf(ctx context.Context) *Loop {
	switch c := ctx.(type) {
	case *taskContext:
		return c.loop
	case nil:
		return nil
	}
	if own, _ := ctx.Value(ownKey{}).(ownContext); own != nil {
		return own.ownTask().loop
	}
	l, _ := ctx.Value(loopKey{}).(*Loop)
	return l
}

// doneSignal is the Done of a context: made when first asked for, and ended at most once,
// from any goroutine. Its zero value has not ended.
type doneSignal struct{ state atomic.Pointer[doneState] }

// doneState is a signal that was asked for, or has ended.
type doneState struct {
	mu       sync.Mutex
	ch       chan struct{}
	reason   error // nil: not ended
	after    map[*func()]struct{}
	follows  bool        // a context whose end ends the signal
	unfollow func() bool // nil: none, or not yet
}

// Signals that ended before anybody asked share one state per reason.
var (
	endedCanceled = newEndedState(context.Canceled)
	endedDeadline = newEndedState(context.DeadlineExceeded)
)

func newEndedState(reason error) *doneState {
	s := &doneState{ch: make(chan struct{}), reason: reason}
	close(s.ch)
	return s
}

// get makes the state if need be.
func (d *doneSignal) get() *doneState {
	for {
		if s := d.state.Load(); s != nil {
			return s
		}
		d.state.CompareAndSwap(nil, &doneState{ch: make(chan struct{})})
	}
}

func (d *doneSignal) done() <-chan struct{} { return d.get().ch }

func (d *doneSignal) err() error {
	s := d.state.Load()
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason
}

// end ends the signal for a reason that stays.
func (d *doneSignal) end(reason error) {
	if d.state.Load() == nil {
		shared := endedCanceled
		if reason == context.DeadlineExceeded {
			shared = endedDeadline
		}
		if d.state.CompareAndSwap(nil, shared) {
			return
		}
	}
	s := d.state.Load()
	s.mu.Lock()
	if s.reason != nil {
		s.mu.Unlock()
		return
	}
	s.reason = reason
	after, unfollow := s.after, s.unfollow
	s.after, s.unfollow = nil, nil
	close(s.ch)
	s.mu.Unlock()
	if unfollow != nil {
		unfollow()
	}
	for fn := range after {
		go (*fn)()
	}
}

// afterFunc runs fn in a goroutine of its own when the signal ends.
func (d *doneSignal) afterFunc(fn func()) (stop func() bool) {
	s := d.get()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason != nil {
		go fn()
		return func() bool { return false }
	}
	if s.after == nil {
		s.after = make(map[*func()]struct{})
	}
	s.after[&fn] = struct{}{}
	return func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		_, waits := s.after[&fn]
		delete(s.after, &fn)
		return waits
	}
}

// follow makes the end of ctx, always the same one, end the signal. A signal that has
// ended lets go of ctx, which may live much longer.
func (d *doneSignal) follow(ctx context.Context) {
	s := d.get()
	s.mu.Lock()
	follows := s.follows || s.reason != nil
	s.follows = true
	s.mu.Unlock()
	if follows {
		return
	}
	unfollow := context.AfterFunc(ctx, func() { d.end(ctx.Err()) })
	s.mu.Lock()
	ended := s.reason != nil
	if !ended {
		s.unfollow = unfollow
	}
	s.mu.Unlock()
	if ended {
		unfollow()
	}
}

// interrupt cancels the task on behalf of the scope: only the scope's context ends, and
// those inside it.
func (s *scope) interrupt(reason error, msg any) {
	t := s.task
	t.requests++
	for inner := t.co.scopes; inner != nil && inner != s; inner = inner.outer {
		inner.ended.end(context.Canceled)
	}
	s.ended.end(reason)
	t.interrupt(msg)
}
