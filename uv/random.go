//go:build cgo

package uv

// Random bytes of the system's. It makes one wait for them when it has just started, so
// libuv asks on its pool.

import (
	"context"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// randomAnswer is what comes of Random.
type randomAnswer struct {
	p    []byte
	done func(error)
}

func (a *randomAnswer) take(b *cbridge.Loop, id uint64) { b.RandomBytes(id, a.p) }

func (a *randomAnswer) failed(code Errno) error { return &Error{Op: "random", Errno: code} }

func (a *randomAnswer) tell(err error) {
	if a.done != nil {
		a.done(err)
	}
}

// Random fills p with random bytes, fit for keys; uv_random. p is the request's until
// done, which may be nil, is called. The errors of the call are E2BIG for 2 GiB and more,
// ENOMEM, EAGAIN if the pool cannot be started, and ErrClosed.
func (l *Loop) Random(p []byte, done func(error)) (*Req, error) {
	return l.random(context.Background(), p, done)
}

// RandomContext is Random; done gets the cause of ctx's end, if that comes first, and p
// is then as it was.
func (l *Loop) RandomContext(ctx context.Context, p []byte, done func(error)) (*Req, error) {
	return l.random(ctx, p, done)
}

func (l *Loop) random(ctx context.Context, p []byte, done func(error)) (*Req, error) {
	if err := l.mayBegin(ctx, "Loop.Random"); err != nil {
		return nil, err
	}
	a := &randomAnswer{p: p, done: done}
	if len(p) > cbridge.RandomMax {
		return nil, a.failed(E2BIG)
	}
	if err := startPool("random"); err != nil {
		return nil, err
	}
	id, code := l.b.Random(len(p))
	if code != 0 {
		return nil, a.failed(Errno(code))
	}
	return l.begun(ctx, RandomReq, id, a), nil
}

// RandomSync is Random without a loop: it blocks. Any goroutine.
func RandomSync(p []byte) error {
	code := int(E2BIG)
	if len(p) <= cbridge.RandomMax {
		code = cbridge.RandomNow(p)
	}
	return systemError("random", code)
}
