package goproactor

import (
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// failingListener fails as often as it has errors, before it accepts.
type failingListener struct {
	socketListener
	mu     sync.Mutex
	errors []error
	asked  int
}

func (l *failingListener) Accept() (net.Conn, error) {
	l.mu.Lock()
	l.asked++
	if len(l.errors) > 0 {
		errno := l.errors[0]
		l.errors = l.errors[1:]
		l.mu.Unlock()
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: errno}
	}
	l.mu.Unlock()
	return l.socketListener.Accept()
}

// heard notes what a listener tells.
type heard struct {
	accepted int
	failures []error
}

func (h *heard) Accepted(s proactor.Stream) { h.accepted++; s.Close() }
func (h *heard) AcceptFailed(err error)     { h.failures = append(h.failures, err) }

func TestAcceptErrors(t *testing.T) {
	gone := []error{
		syscall.EPROTO, syscall.ENETDOWN, syscall.ENOPROTOOPT, syscall.EHOSTDOWN,
		syscall.EHOSTUNREACH, syscall.EOPNOTSUPP, syscall.ENETUNREACH,
	}
	serve := func(t *testing.T, errors ...error) (*driver, *failingListener, proactor.Listener, *heard) {
		d := open(t)
		ln, err := d.Listen(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, proactor.ListenOptions{})
		require.NoError(t, err)
		l := ln.(*listener)
		f := &failingListener{socketListener: l.ln, errors: errors}
		l.ln = f
		c, err := net.Dial("tcp", ln.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		return d, f, ln, &heard{}
	}
	until := func(d *driver, done func() bool) {
		for !done() {
			require.NoError(t, d.Poll(time.Second))
		}
	}
	t.Run("those of a connection are not told", func(t *testing.T) {
		d, _, ln, h := serve(t, gone...)
		require.NoError(t, ln.Start(h))
		until(d, func() bool { return h.accepted == 1 })
		require.Empty(t, h.failures)
	})
	for _, errno := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EPERM} {
		t.Run(errno.Error(), func(t *testing.T) {
			d, f, ln, h := serve(t, errno, errno)
			for i := range 2 {
				require.NoError(t, ln.Start(h))
				until(d, func() bool { return len(h.failures) > i })
				require.ErrorIs(t, h.failures[i], errno)
				require.NoError(t, d.Poll(10*time.Millisecond))
				require.Len(t, h.failures, i+1, "told once for each Start")
				require.Equal(t, i+1, f.asked, "and tried once")
			}
			require.NoError(t, ln.Start(h))
			until(d, func() bool { return h.accepted == 1 })
		})
	}
}
