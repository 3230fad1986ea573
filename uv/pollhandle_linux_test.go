//go:build cgo

package uv_test

// Polls: descriptors of somebody else's.

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// socketPair is two connected sockets, the caller's to close.
func socketPair(t testing.TB) (a, b int) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	return fds[0], fds[1]
}

func closeFD(t testing.TB, fds ...int) {
	t.Helper()
	for _, fd := range fds {
		require.NoError(t, syscall.Close(fd))
	}
}

func newPoll(t testing.TB, l *uv.Loop, fd int) *uv.Poll {
	t.Helper()
	p, err := l.NewPoll(uintptr(fd))
	require.NoError(t, err)
	return p
}

func writeTo(t testing.TB, fd int, s string) {
	t.Helper()
	_, err := syscall.Write(fd, []byte(s))
	require.NoError(t, err)
}

// seen counts what a Poll tells.
type seen struct {
	n      int
	events uv.PollEvents // all of them
	err    error
}

func (s *seen) tell(events uv.PollEvents, err error) {
	s.n++
	s.events |= events
	s.err = err
}

func TestPoll(t *testing.T) {
	t.Run("UV-101", func(t *testing.T) {
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			a, b := socketPair(t)
			defer closeFD(t, a, b)
			p, s := newPoll(t, l, a), new(seen)
			require.NoError(t, p.Start(uv.Readable, s.tell))
			require.True(t, p.IsActive())
			require.NoError(t, l.Poll(0))
			require.Zero(t, s.n)
			writeTo(t, b, "x")
			for i := range 5 {
				require.Equal(t, i, s.n)
				require.NoError(t, l.Poll(patience))
			}
			require.Equal(t, uv.Readable, s.events)
			n, err := syscall.Read(a, make([]byte, 8))
			require.NoError(t, err)
			require.Equal(t, 1, n)
			for range 5 {
				require.NoError(t, l.Poll(0))
			}
			require.Equal(t, 5, s.n)
			require.NoError(t, p.Stop())
			require.False(t, p.IsActive())
			p.Close()
		})
	})
	t.Run("UV-102", func(t *testing.T) {
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			a, b := socketPair(t)
			defer closeFD(t, a, b)
			p, first, second := newPoll(t, l, a), new(seen), new(seen)
			require.NoError(t, p.Start(uv.Writable, first.tell))
			require.NoError(t, l.Poll(patience))
			require.Equal(t, seen{n: 1, events: uv.Writable}, *first)
			writeTo(t, b, "x")
			require.NoError(t, p.Start(uv.Readable, second.tell))
			require.NoError(t, l.Poll(patience))
			require.NoError(t, l.Poll(patience))
			require.Equal(t, seen{n: 2, events: uv.Readable}, *second)
			require.NoError(t, p.Start(uv.Readable|uv.Writable, second.tell))
			require.NoError(t, l.Poll(patience))
			require.Equal(t, seen{n: 3, events: uv.Readable | uv.Writable}, *second)
			require.Equal(t, 1, first.n)
			p.Close()
		})
	})
	t.Run("UV-103", func(t *testing.T) {
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			for _, end := range []func(p *uv.Poll, again *seen){
				func(p *uv.Poll, _ *seen) { require.NoError(t, p.Stop()) },
				func(p *uv.Poll, _ *seen) { p.Close() },
				func(p *uv.Poll, again *seen) { require.NoError(t, p.Start(uv.Readable, again.tell)) },
				func(p *uv.Poll, again *seen) {
					require.NoError(t, p.Stop())
					require.NoError(t, p.Start(uv.Readable, again.tell))
				},
			} {
				var fds [4]int
				var polls [2]*uv.Poll
				var again [2]seen
				calls := 0
				for i := range polls {
					fds[2*i], fds[2*i+1] = socketPair(t)
					polls[i] = newPoll(t, l, fds[2*i])
					writeTo(t, fds[2*i+1], "x")
				}
				for i, p := range polls {
					require.NoError(t, p.Start(uv.Readable, func(uv.PollEvents, error) {
						calls++
						end(polls[1-i], &again[1-i])
						polls[i].Close()
					}))
				}
				require.NoError(t, l.Poll(patience))
				require.Equal(t, 1, calls, "the other one has a record in the same turn")
				require.Zero(t, again[0].n+again[1].n)
				for _, p := range polls {
					p.Close()
				}
				require.NoError(t, l.Poll(0))
				closeFD(t, fds[:]...)
			}
		})
	})
	t.Run("UV-105", func(t *testing.T) {
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			for _, events := range []uv.PollEvents{uv.Disconnect, uv.Disconnect | uv.Readable} {
				a, b := socketPair(t)
				p, s := newPoll(t, l, a), new(seen)
				require.NoError(t, p.Start(events, s.tell))
				require.NoError(t, l.Poll(0))
				require.Zero(t, s.n)
				require.NoError(t, syscall.Shutdown(b, syscall.SHUT_WR))
				require.NoError(t, l.Poll(patience))
				require.Equal(t, seen{n: 1, events: events}, *s)
				p.Close()
				closeFD(t, a, b)
			}
		})
	})
	t.Run("UV-107", func(t *testing.T) {
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			a, b := socketPair(t)
			old, s := newPoll(t, l, a), new(seen)
			require.NoError(t, old.Start(uv.Readable, s.tell))
			writeTo(t, b, "x")
			require.NoError(t, l.Poll(patience))
			require.Equal(t, 1, s.n)
			keep, err := syscall.Dup(a) // the old socket stays open, and readable
			require.NoError(t, err)
			old.Close()
			closeFD(t, a)
			c, d := socketPair(t)
			require.Equal(t, a, c, "the number comes back")
			next, s2 := newPoll(t, l, c), new(seen)
			require.NoError(t, next.Start(uv.Readable, s2.tell))
			require.NoError(t, l.Poll(0))
			require.NoError(t, l.Poll(0))
			require.Zero(t, s2.n)
			writeTo(t, d, "y")
			require.NoError(t, l.Poll(patience))
			require.Equal(t, 1, s2.n)
			require.Equal(t, 1, s.n)
			next.Close()
			closeFD(t, b, c, d, keep)
		})
	})
}

func TestPollRefuses(t *testing.T) {
	l := newLoop(t)
	a, b := socketPair(t)
	t.Run("what is no descriptor", func(t *testing.T) {
		for _, fd := range []uintptr{1 << 20, 1 << 40, ^uintptr(0)} {
			_, err := l.NewPoll(fd)
			require.ErrorIs(t, err, syscall.EBADF)
		}
	})
	t.Run("what cannot be polled", func(t *testing.T) {
		_, err := l.NewPoll(openFile(t))
		require.ErrorIs(t, err, syscall.EPERM)
		require.ErrorIs(t, err, fs.ErrPermission)
		null, err := os.Open(os.DevNull)
		require.NoError(t, err)
		defer null.Close()
		_, err = l.NewPoll(null.Fd())
		require.ErrorIs(t, err, syscall.EPERM)
	})
	t.Run("what another handle has", func(t *testing.T) {
		p := newPoll(t, l, a)
		require.Same(t, p, l.HandleOf(uintptr(a)))
		_, err := l.NewPoll(uintptr(a))
		require.ErrorIs(t, err, uv.EEXIST)
		pipe := newPipe(t, l)
		require.ErrorIs(t, pipe.OpenFD(uintptr(a)), uv.EEXIST)
		p.Close()
		require.Nil(t, l.HandleOf(uintptr(a)))
		again := newPoll(t, l, a)
		again.Close()
		require.NoError(t, pipe.OpenFD(uintptr(a)), "it is told to close")
		_, err = l.NewPoll(uintptr(a))
		require.ErrorIs(t, err, uv.EEXIST)
		require.Equal(t, uv.Handle(pipe), l.HandleOf(uintptr(a)))
		ln := listen(t, l, func(*uv.TCP, error) {})
		fd, err := ln.Fd()
		require.NoError(t, err)
		_, err = l.NewPoll(fd)
		require.ErrorIs(t, err, uv.EEXIST)
		back, err := l.BackendFD()
		require.NoError(t, err)
		_, err = l.NewPoll(uintptr(back))
		require.Error(t, err)
		pipe.Close()
		require.Nil(t, l.HandleOf(uintptr(a)))
	})
	t.Run("no events", func(t *testing.T) {
		p, s := newPoll(t, l, b), new(seen)
		require.ErrorIs(t, p.Start(0, s.tell), uv.EINVAL)
		require.ErrorIs(t, p.Start(16, s.tell), uv.EINVAL)
		require.ErrorIs(t, p.Start(uv.Readable, nil), uv.EINVAL)
		require.NoError(t, p.Stop(), "it has not been started")
		p.Close()
		require.ErrorIs(t, p.Start(uv.Readable, s.tell), uv.ErrClosed)
		require.ErrorIs(t, p.Stop(), uv.ErrClosed)
		_, err := p.Fd()
		require.ErrorIs(t, err, uv.ErrClosed)
	})
	require.NoError(t, syscall.Close(b))
	closeAll(l)
	_, err := l.NewPoll(0)
	require.ErrorIs(t, err, uv.ErrClosed)
	require.Nil(t, l.HandleOf(0))
}

func TestPollMakesNonBlocking(t *testing.T) {
	l := newLoop(t)
	a, b := socketPair(t)
	defer closeFD(t, a, b)
	p := newPoll(t, l, a)
	require.Equal(t, uv.PollHandle, p.Type())
	require.Equal(t, "poll", p.Type().String())
	fd, err := p.Fd()
	require.NoError(t, err)
	require.Equal(t, uintptr(a), fd)
	_, err = syscall.Read(a, make([]byte, 1))
	require.ErrorIs(t, err, syscall.EAGAIN)
	closed := false
	p.CloseWith(func() { closed = true })
	until(t, l, "closed", func() bool { return closed })
	writeTo(t, a, "it is still the owner's")
}

// A descriptor that its owner closes too early brings an error, and nothing worse.
func TestPollOfClosedDescriptor(t *testing.T) {
	t.Run("Start", func(t *testing.T) {
		l := newLoop(t)
		for _, started := range []bool{false, true} {
			a, b := socketPair(t)
			p, s := newPoll(t, l, a), new(seen)
			if started {
				require.NoError(t, p.Start(uv.Readable, s.tell))
				require.NoError(t, l.Poll(0))
			}
			closeFD(t, a)
			require.ErrorIs(t, p.Start(uv.Readable|uv.Writable, s.tell), syscall.EBADF)
			require.False(t, p.IsActive())
			require.NoError(t, l.Poll(0))
			require.Zero(t, s.n)
			p.Close()
			closeFD(t, b)
		}
	})
	t.Run("after Start, before the turn", func(t *testing.T) {
		l := newLoop(t)
		a, b := socketPair(t)
		p, s := newPoll(t, l, a), new(seen)
		require.NoError(t, p.Start(uv.Readable, s.tell))
		closeFD(t, a)
		require.NoError(t, l.Poll(0))
		require.NoError(t, p.Stop())
		p.Close()
		closeFD(t, b)
	})
	t.Run("and the number is a file's", func(t *testing.T) {
		l := newLoop(t)
		a, b := socketPair(t)
		p, s := newPoll(t, l, a), new(seen)
		require.NoError(t, p.Start(uv.Readable, s.tell))
		closeFD(t, a)
		require.Equal(t, uintptr(a), openFile(t))
		require.ErrorIs(t, p.Start(uv.Writable, s.tell), syscall.EPERM)
		p.Close()
		closeFD(t, b)
	})
	t.Run("and the number is another handle's", func(t *testing.T) {
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			for _, make := range []func() uv.Handle{
				func() uv.Handle { c, _ := connectedPair(t, l); return c },
				func() uv.Handle { return listen(t, l, func(*uv.TCP, error) {}) },
				func() uv.Handle { c, _ := l.NewTCPFamily(syscall.AF_INET); return c },
				func() uv.Handle {
					p := newPipe(t, l)
					require.NoError(t, p.Bind(shortDir(t)+"/socket"))
					return p
				},
			} {
				var fds, peers [8]int
				var polls [8]*uv.Poll
				var told [8]seen
				for i := range polls {
					fds[i], peers[i] = socketPair(t)
					polls[i] = newPoll(t, l, fds[i])
					if i%4 != 0 {
						require.NoError(t, polls[i].Start(uv.Readable, told[i].tell))
					}
				}
				require.NoError(t, l.Poll(0))
				closeFD(t, fds[:]...)
				h := make()
				require.NoError(t, l.Poll(0))
				fd, err := h.(interface{ Fd() (uintptr, error) }).Fd()
				require.NoError(t, err)
				lost := -1
				for i := range fds {
					if fds[i] == int(fd) {
						lost = i
					}
				}
				require.GreaterOrEqual(t, lost, 0, "a number has come back")
				require.ErrorIs(t, polls[lost].Start(uv.Readable, told[lost].tell), uv.EBADF)
				if lost%4 != 0 {
					require.Equal(t, 1, told[lost].n)
					require.ErrorIs(t, told[lost].err, uv.EBADF)
				}
				for _, p := range polls {
					require.NoError(t, p.Stop())
					p.Close()
				}
				require.Equal(t, h, l.HandleOf(fd))
				c, s := connectedPair(t, l)
				got, _ := collect(t, s)
				require.NoError(t, c.Write([]byte("hello"), nil))
				until(t, l, "hello", func() bool { return got.String() == "hello" })
				h.Close()
				closeFD(t, peers[:]...)
			}
		})
	})
}

// libuv tells of an error of a socket as EBADF, and stops.
func TestPollOfFailedSocket(t *testing.T) {
	l := newLoop(t)
	var fds [2]int
	require.NoError(t, syscall.Pipe2(fds[:], syscall.O_CLOEXEC))
	p, s := newPoll(t, l, fds[1]), new(seen)
	closeFD(t, fds[0])
	require.NoError(t, p.Start(uv.Writable, s.tell))
	require.NoError(t, l.Poll(patience))
	require.Equal(t, 1, s.n)
	require.ErrorIs(t, s.err, uv.EBADF)
	require.False(t, p.IsActive())
	require.NoError(t, p.Start(uv.Writable, s.tell), "it may be started again")
	require.NoError(t, l.Poll(patience))
	require.Equal(t, 2, s.n)
	p.Close()
	closeFD(t, fds[1])
}

func TestPollCallbackPanics(t *testing.T) {
	l := newLoop(t)
	a, b := socketPair(t)
	defer closeFD(t, a, b)
	p := newPoll(t, l, a)
	defer p.Close()
	gone := errors.New("gone")
	n := 0
	require.NoError(t, p.Start(uv.Writable, func(uv.PollEvents, error) {
		if n++; n == 1 {
			panic(gone)
		}
	}))
	require.PanicsWithValue(t, gone, func() { l.Poll(patience) })
	until(t, l, "the next event", func() bool { return n > 1 })
}

// A Poll keeps the loop running while it is started and referenced.
func TestPollKeepsAlive(t *testing.T) {
	l := newLoop(t)
	a, b := socketPair(t)
	defer closeFD(t, a, b)
	p, s := newPoll(t, l, a), new(seen)
	defer p.Close()
	more, err := l.Run(uv.RunDefault)
	require.NoError(t, err)
	require.False(t, more)
	require.NoError(t, p.Start(uv.Readable, func(e uv.PollEvents, err error) {
		s.tell(e, err)
		require.NoError(t, p.Stop())
	}))
	require.True(t, l.Alive())
	p.Unref()
	require.False(t, l.Alive())
	p.Ref()
	time.AfterFunc(time.Millisecond, func() { syscall.Write(b, []byte("x")) })
	more, err = l.Run(uv.RunDefault)
	require.NoError(t, err)
	require.False(t, more)
	require.Equal(t, 1, s.n)
}

// Many descriptors that are ready together are told of once each in a turn.
func TestManyPolls(t *testing.T) {
	const n = 1500 // more than libuv takes from the kernel at once
	l := newLoop(t)
	a, b := socketPair(t)
	defer closeFD(t, a, b)
	writeTo(t, b, "x")
	told := make([]seen, n)
	var fds []int
	for i := range told {
		fd, err := syscall.Dup(a)
		require.NoError(t, err)
		fds = append(fds, fd)
		require.NoError(t, newPoll(t, l, fd).Start(uv.Readable, told[i].tell))
	}
	require.NoError(t, l.Poll(patience))
	for i := range told {
		require.Equal(t, 1, told[i].n)
	}
	closeHandles(l)
	closeFD(t, fds...)
}
