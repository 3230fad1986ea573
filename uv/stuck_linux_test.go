//go:build cgo

package uv_test

// A resolver that is stuck. The C library looks into the file that HOSTALIASES names when
// it asks a name server for a name without dots; here that is a pipe, which keeps it
// waiting for as long as the test likes.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/cbridge"
	"github.com/seed-a026a017/asyncio/uv"
)

// stickyName is a name that nobody knows.
const stickyName = "uv-sticky-name"

// resolver is a stuck one.
type resolver struct{ path string }

func newStuckResolver() (*resolver, error) {
	dir, err := os.MkdirTemp("", "uv")
	if err != nil {
		return nil, err
	}
	r := &resolver{path: filepath.Join(dir, "aliases")}
	os.Setenv("HOSTALIASES", r.path)
	os.Setenv("RES_OPTIONS", "timeout:1 attempts:1")
	return r, syscall.Mkfifo(r.path, 0o600)
}

var errNotStuck = errors.New("this system's resolver does not heed HOSTALIASES")

// stuck waits until a lookup is stuck, which it stays until release lets it go.
func (r *resolver) stuck(over func() bool) (release func(), err error) {
	for {
		f, err := os.OpenFile(r.path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err == nil {
			return func() {
				os.Remove(r.path) // no later lookup finds it
				f.Close()
			}, nil
		}
		if over() {
			return nil, errNotStuck
		}
		time.Sleep(time.Millisecond) // until the resolver's thread has come so far
	}
}

func childStuck(args []string) error {
	if !cbridge.CountAllocations() {
		return errors.New("cannot count allocations")
	}
	_ = uv.SetThreadPoolSize(1)
	r, err := newStuckResolver()
	if err != nil {
		return err
	}
	defer os.RemoveAll(filepath.Dir(r.path))
	l, err := uv.NewLoop()
	if err != nil {
		return err
	}
	err = map[string]func(*uv.Loop, *resolver) error{"cancel": stuckCancel, "shutdown": stuckShutdown}[args[0]](l, r)
	if err == errNotStuck {
		fmt.Println("not stuck")
		return nil
	}
	if err == nil {
		fmt.Println("ok")
	}
	return err
}

// stuckCancel cancels a request that waits for the thread, and one that has it.
func stuckCancel(l *uv.Loop, r *resolver) error {
	type told struct {
		n   int
		err error
	}
	begin := func(ctx context.Context) (*uv.Req, *told, error) {
		w := new(told)
		req, err := l.GetAddrInfoContext(ctx, stickyName, "80", streamHints, func(_ []uv.AddrInfo, err error) { w.n, w.err = w.n+1, err })
		return req, w, err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	running, first, err := begin(ctx)
	if err != nil {
		return err
	}
	release, err := r.stuck(func() bool { l.Poll(0); return first.n > 0 })
	if err != nil {
		return err
	}
	queued, second, err := begin(context.Background())
	if err != nil {
		return err
	}
	_, third, err := begin(ctx)
	if err != nil {
		return err
	}
	if err := running.Cancel(); !errors.Is(err, uv.EBUSY) {
		return fmt.Errorf("cancel of what runs: %v", err)
	}
	for range 2 {
		if err := queued.Cancel(); err != nil {
			return fmt.Errorf("cancel of what waits: %w", err)
		}
	}
	if second.n != 0 {
		return errors.New("told inside Cancel")
	}
	for end := time.Now().Add(patience); second.n == 0 && time.Now().Before(end); {
		l.Poll(time.Second)
	}
	if !errors.Is(second.err, uv.ECANCELED) || first.n+third.n != 0 {
		return fmt.Errorf("told: %+v %+v %+v", first, second, third)
	}
	cancel(errors.New("boom"))
	for end := time.Now().Add(patience); first.n+third.n < 2 && time.Now().Before(end); {
		l.Poll(time.Second)
	}
	for _, w := range []*told{first, third} {
		if w.n != 1 || w.err != context.Cause(ctx) {
			return fmt.Errorf("by its context: %+v", w)
		}
	}
	if err := l.Close(); !errors.Is(err, uv.ErrBusy) {
		return fmt.Errorf("close while a lookup runs: %v", err)
	}
	release()
	if err := l.Shutdown(context.Background()); err != nil {
		return err
	}
	if first.n+second.n+third.n != 3 {
		return errors.New("told again")
	}
	if n := cbridge.LiveAllocations(); n != 0 {
		return fmt.Errorf("%d allocations are left", n)
	}
	return nil
}

// stuckShutdown gives up waiting for a lookup, and leaves its loop.
func stuckShutdown(l *uv.Loop, r *resolver) error {
	told := 0
	done := func(_ []uv.AddrInfo, err error) {
		if told++; told == 1 && !errors.Is(err, uv.ECANCELED) {
			fmt.Println("told", err)
		}
	}
	if _, err := l.GetAddrInfo(stickyName, "80", streamHints, done); err != nil {
		return err
	}
	release, err := r.stuck(func() bool { l.Poll(0); return told > 0 })
	if err != nil {
		return err
	}
	defer release() // under the race detector the process waits for its threads
	if _, err := l.GetAddrInfo(stickyName, "80", streamHints, done); err != nil {
		return err
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := l.Shutdown(ctx); err != context.DeadlineExceeded {
		return fmt.Errorf("shutdown: %w", err)
	}
	if told != 1 {
		return fmt.Errorf("%d told: the one that waited is cancelled", told)
	}
	if took := time.Since(began); took < 100*time.Millisecond {
		return fmt.Errorf("gave up after %v", took)
	}
	if err := l.Poll(0); err != nil { // the loop is fit
		return err
	}
	return nil
}

func runStuck(t *testing.T, what string) {
	t.Helper()
	out := inChild(t, "stuck", what)
	if out == "not stuck\n" {
		t.Skip(errNotStuck)
	}
	require.Equal(t, "ok\n", out)
}

func TestStuckResolver(t *testing.T) {
	t.Run("UV-143", func(t *testing.T) { runStuck(t, "cancel") })
	t.Run("UV-144", func(t *testing.T) { runStuck(t, "shutdown") })
}
