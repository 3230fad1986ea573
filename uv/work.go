//go:build cgo

package uv

// Work: functions that block run beside the loop. C's threads run no Go, so each has a
// goroutine; that not more than the pool's number of threads run at once is for what they
// do, such as calls that hold a thread of the system each.
//
//	state    moves to
//	queued   running: a place becomes free; withdrawn: Cancel, or the end of the context
//	running  over: the function has returned, panicked or ended its goroutine
//
// The number is of the process, for all loops. Work that waits is begun in the order in
// which it was given.

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// works are those of all loops.
var works struct {
	mu      sync.Mutex
	queue   []*work
	running int
}

// work is one function, and the answer to its request.
type work struct {
	r        *Req
	ctx      context.Context
	f        func()
	done     func(error)
	cause    error // why ctx has ended, if that was before f returned
	panicked any   // what f has panicked with, nil if it has not
	exited   bool  // f has ended its goroutine
}

// QueueWork runs work on a goroutine, and then calls done, which may be nil, on the
// loop's; uv_queue_work. At most ThreadPoolSize such functions of the process run at a
// time. The others wait, and may be cancelled. A panic of work comes up in the turn that
// would have called done, as does its runtime.Goexit, and done is not called. The error
// of the call is EINVAL without work, or ErrClosed.
func (l *Loop) QueueWork(work func(), done func(error)) (*Req, error) {
	return l.queueWork(context.Background(), work, done)
}

// QueueWorkContext is QueueWork; done gets the cause of ctx's end, if that comes first.
// work that runs then is left to itself, and may heed its ctx, which is this one. The
// loop is kept until it returns.
func (l *Loop) QueueWorkContext(ctx context.Context, work func(ctx context.Context), done func(error)) (*Req, error) {
	if work == nil {
		return l.queueWork(ctx, nil, done)
	}
	return l.queueWork(ctx, func() { work(ctx) }, done)
}

func (l *Loop) queueWork(ctx context.Context, f func(), done func(error)) (*Req, error) {
	if err := l.mayBegin(ctx, "Loop.QueueWork"); err != nil {
		return nil, err
	}
	w := &work{ctx: ctx, f: f, done: done}
	if f == nil {
		return nil, w.failed(EINVAL)
	}
	for w.r == nil || l.reqs[l.workID] != nil {
		l.workID = uint64(uint32(l.workID + 1)) // those of the bridge are larger
		w.r = &Req{loop: l, id: l.workID, kind: WorkReq, answer: w}
	}
	l.keep(w.r)
	l.refs++
	w.give(useThreads())
	w.r.watch(ctx)
	return w.r, nil
}

func (w *work) take(*cbridge.Loop, uint64) {}

func (w *work) failed(code Errno) error { return &Error{Op: "queue work", Errno: code} }

func (w *work) tell(err error) {
	if w.done != nil {
		w.done(err)
	}
}

// give lets w run, now or when one of the places is free.
func (w *work) give(places int) {
	works.mu.Lock()
	defer works.mu.Unlock()
	if works.running >= places {
		works.queue = append(works.queue, w)
		return
	}
	works.running++
	go w.run()
}

// withdraw reports whether w still waits. Then it never runs, and a turn tells so.
func (w *work) withdraw() bool {
	works.mu.Lock()
	i := slices.Index(works.queue, w)
	if i >= 0 {
		works.queue = slices.Delete(works.queue, i, i+1)
	}
	works.mu.Unlock()
	if i < 0 {
		return false
	}
	w.forget()
	w.r.loop.answerLater(w.r, &Error{Op: w.r.kind.String(), Errno: ECANCELED})
	return true
}

// run is the goroutine. It gives its place to the work that has waited longest.
func (w *work) run() {
	defer func() {
		works.mu.Lock()
		defer works.mu.Unlock()
		if len(works.queue) == 0 {
			works.running--
			return
		}
		next := works.queue[0]
		works.queue = slices.Delete(works.queue, 0, 1)
		go next.run()
	}()
	w.exited = true // stays if f leaves by runtime.Goexit
	defer func() {
		if v := recover(); v != nil {
			w.panicked, w.exited = v, false
		}
		w.cause = context.Cause(w.ctx) // which f may have heeded
		_ = w.r.loop.Post(w.over)      // the request keeps the loop open
	}()
	w.f()
	w.exited = false
}

// over takes in the end of f, in a turn.
func (w *work) over() {
	w.forget()
	told := w.r.state == reqOver
	switch {
	case w.panicked != nil || w.exited:
		if !told {
			w.r.close()
		}
		if w.exited {
			runtime.Goexit()
		}
		panic(w.panicked)
	case !told:
		w.r.end(w.cause)
	}
}

// forget ends the request's hold on the loop.
func (w *work) forget() {
	delete(w.r.loop.reqs, w.r.id)
	w.r.loop.refs--
}
