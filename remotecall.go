package asyncio

// Callbacks from other goroutines. Their handle can be cancelled from any goroutine, and
// Cancel returns when the callback will not run any more, which for one that runs already
// means to wait for its end. A loop never waits so: two whose callbacks cancel each
// other's handles would wait for each other.
//
//	waiting    in the inbox or the ready queue   -> running (run), cancelled (cancel)
//	running    the loop is inside it             -> ended (end)
//	ended
//	cancelled

import (
	"fmt"
	"sync/atomic"
)

// CallSoonThreadsafe runs fn on the loop's goroutine in its next turn and may be called
// from any goroutine: loop.call_soon_threadsafe. Calls of one goroutine run in their
// order. The error is ErrLoopClosed, or ErrInboxFull where WithInboxLimit says so. A fn
// that was accepted runs exactly once, unless it is cancelled or the loop is closed
// first.
func (l *Loop) CallSoonThreadsafe(fn func(), opts ...CallOption) (*Handle, error) {
	r := &remoteCall{call: l.newCallback("CallSoonThreadsafe", fn, opts)}
	r.handle.loop, r.handle.remote = l, r
	if err := l.accept(r, l.inbox.limit); err != nil {
		advice := "make a new loop, or stop its callers before you close it"
		if err == ErrInboxFull {
			advice = "the loop is too slow for its callers: wait, or call less"
		}
		return nil, fmt.Errorf("%w: CallSoonThreadsafe: %s", err, advice)
	}
	return &r.handle, nil
}

type remoteState = int32

const (
	remoteWaiting remoteState = iota
	remoteRunning
	remoteEnded
	remoteCancelled
)

// remoteCall is a callback of another goroutine, with its handle in one piece of memory
// of 64 bytes. Waiting moves to running and then ended, or to cancelled: by single
// instructions, as a mutex would cost four of them for each callback.
type remoteCall struct {
	handle Handle
	call   runnable

	state atomic.Int32                  // a remoteState
	late  atomic.Bool                   // Cancel came after the start
	ended atomic.Pointer[chan struct{}] // made by a Cancel that has to wait
}

func (r *remoteCall) run(l *Loop) {
	if !r.state.CompareAndSwap(remoteWaiting, remoteRunning) {
		return // cancelled
	}
	defer r.end()
	r.call.run(l)
}

func (r *remoteCall) end() {
	r.state.Store(remoteEnded)
	if ended := r.ended.Load(); ended != nil {
		close(*ended)
	}
}

func (r *remoteCall) cancel() {
	if r.state.CompareAndSwap(remoteWaiting, remoteCancelled) || r.state.Load() == remoteCancelled {
		return
	}
	r.late.Store(true)
	r.settle()
}

func (r *remoteCall) isCancelled() bool {
	cancelled := r.state.Load() == remoteCancelled || r.late.Load()
	r.settle()
	return cancelled
}

// settle waits until a callback that runs has ended, unless a loop would stand still
// meanwhile: that of the callback, or another one. It looks at the state once more when
// end can see whom to tell.
func (r *remoteCall) settle() {
	if r.state.Load() != remoteRunning || loopHere() != nil {
		return
	}
	ended := r.ended.Load()
	for ended == nil {
		c := make(chan struct{})
		r.ended.CompareAndSwap(nil, &c)
		ended = r.ended.Load()
	}
	if r.state.Load() == remoteRunning {
		<-*ended
	}
}
