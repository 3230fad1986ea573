package asyncio

// Wait: looks at several futures at once and takes nothing from them. What comes of a
// future counts in the turn after it is done, also for one that is done already, so Wait
// always suspends.

import (
	"context"
	"fmt"
	"time"
)

// When says what Wait waits for.
type When int

const (
	// AllCompleted waits until every future is done: ALL_COMPLETED.
	AllCompleted When = iota
	// FirstCompleted waits until a future is done: FIRST_COMPLETED.
	FirstCompleted
	// FirstException waits until a future has failed, or all are done: FIRST_EXCEPTION. A
	// cancelled one has not failed.
	FirstException
)

// WaitOption is an option of Wait.
type WaitOption func(*waitConfig)

type waitConfig struct {
	when    When
	timeout time.Duration
}

// ReturnWhen says what Wait waits for: wait(return_when=). The default is AllCompleted.
// It panics with ErrInvalidArgument for anything that is not one of the three.
func ReturnWhen(w When) WaitOption {
	if w < AllCompleted || w > FirstException {
		panic(misuse(ErrInvalidArgument, "ReturnWhen was given %d; use AllCompleted, FirstCompleted or FirstException", int(w)))
	}
	return func(c *waitConfig) { c.when = w }
}

// WaitTimeout limits how long Wait waits: wait(timeout=). The default is Forever; 0 or
// less is the next turn.
func WaitTimeout(d time.Duration) WaitOption { return func(c *waitConfig) { c.timeout = d } }

// Wait waits for futures and tasks and parts them into those that are done and those that
// are not, each in the order of fs; one that is given twice counts once: asyncio.wait.
// Failures stay in the futures, and the end of a timeout is no error and cancels nothing.
// The error is ErrInvalidArgument if fs is empty, ErrWrongLoop for a future of another
// loop, and ErrNotCurrentTask outside a task.
// Suspends. Cancelled: the futures are left alone.
func Wait(ctx context.Context, fs []AnyFuture, opts ...WaitOption) (done, pending []AnyFuture, err error) {
	a, err := enterTask(ctx, "Wait")
	if err != nil {
		return nil, nil, err
	}
	c := waitConfig{timeout: Forever}
	for _, opt := range opts {
		opt(&c)
	}
	w, err := newWaiting(a.task.loop, fs, c.when)
	if err != nil {
		return nil, nil, err
	}
	if err := w.wait(a, c.timeout); err != nil {
		return nil, nil, err
	}
	for i := range w.links {
		if f := w.links[i].f; f.Done() {
			done = append(done, f)
		} else {
			pending = append(pending, f)
		}
	}
	return done, pending, nil
}

// waiting is one call of Wait.
type waiting struct {
	links  []waitLink
	left   int
	when   When
	enough waitPoint
}

// waitLink watches one future.
type waitLink struct {
	w *waiting
	f AnyFuture
}

// newWaiting checks the futures and drops those that are given twice.
func newWaiting(l *Loop, fs []AnyFuture, when When) (*waiting, error) {
	if len(fs) == 0 {
		return nil, fmt.Errorf("%w: Wait was given no futures; it would never return", ErrInvalidArgument)
	}
	w := &waiting{links: make([]waitLink, 0, len(fs)), when: when}
	seen := make(map[*future]struct{}, len(fs))
	for i, f := range fs {
		if f == nil {
			panic(misuse(ErrInvalidArgument, "Wait was given a nil future at index %d", i))
		}
		if f.Loop() != l {
			return nil, fmt.Errorf("%w: the one at index %d is waited for by a task of another loop", ErrWrongLoop, i)
		}
		if _, again := seen[f.base()]; !again {
			seen[f.base()] = struct{}{}
			w.links = append(w.links, waitLink{w, f})
		}
	}
	w.left = len(w.links)
	return w, nil
}

// wait suspends a's task until enough futures are done or the time is over.
func (w *waiting) wait(a awaiter, timeout time.Duration) error {
	if timeout != Forever {
		timer := a.task.loop.CallLater(timeout, func() { w.enough.wake(nil) })
		defer timer.Cancel()
	}
	for i := range w.links {
		link := &w.links[i]
		link.f.base().addDone(link)
	}
	err := w.enough.wait(a)
	for i := range w.links {
		link := &w.links[i]
		link.f.base().removeWaiter(link)
	}
	return err
}

func (link *waitLink) run(*Loop) {
	w := link.w
	w.left--
	if w.left == 0 || w.when == FirstCompleted ||
		w.when == FirstException && !link.f.Cancelled() && link.f.Exception() != nil {
		w.enough.wake(nil)
	}
}
