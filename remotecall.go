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
	"sync"
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

type remoteState uint8

const (
	remoteWaiting remoteState = iota
	remoteRunning
	remoteEnded
	remoteCancelled
)

// remoteCall is a callback of another goroutine, with its handle in one piece of memory.
// Waiting moves to running and then ended, or to cancelled.
type remoteCall struct {
	handle Handle
	call   runnable

	mu    sync.Mutex
	state remoteState
	late  bool          // Cancel came after the start
	ended chan struct{} // made by a Cancel that has to wait
}

func (r *remoteCall) run(l *Loop) {
	r.mu.Lock()
	if r.state == remoteCancelled {
		r.mu.Unlock()
		return
	}
	r.state = remoteRunning
	r.mu.Unlock()
	defer r.end()
	r.call.run(l)
}

func (r *remoteCall) end() {
	r.mu.Lock()
	r.state = remoteEnded
	if r.ended != nil {
		close(r.ended)
	}
	r.mu.Unlock()
}

func (r *remoteCall) cancel() {
	r.mu.Lock()
	if r.state == remoteWaiting {
		r.state = remoteCancelled
	} else if r.state != remoteCancelled {
		r.late = true
	}
	r.settle()
}

func (r *remoteCall) isCancelled() bool {
	r.mu.Lock()
	cancelled := r.state == remoteCancelled || r.late
	r.settle()
	return cancelled
}

// settle unlocks r and waits until a callback that runs has ended, unless a loop would
// stand still meanwhile: that of the callback, or another one.
func (r *remoteCall) settle() {
	if r.state != remoteRunning || loopHere() != nil {
		r.mu.Unlock()
		return
	}
	if r.ended == nil {
		r.ended = make(chan struct{})
	}
	ended := r.ended
	r.mu.Unlock()
	<-ended
}
