//go:build cgo

package uv_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

func newSignal(t testing.TB, l *uv.Loop) *uv.Signal {
	t.Helper()
	s, err := l.NewSignal()
	require.NoError(t, err)
	return s
}

// raise sends a signal to this process.
func raise(t testing.TB, sig syscall.Signal) {
	t.Helper()
	require.NoError(t, uv.Kill(os.Getpid(), sig))
}

// notified is a channel of os/signal, and a function that waits until it has heard.
func notified(t testing.TB, sig syscall.Signal) (wait func()) {
	t.Helper()
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, sig)
	t.Cleanup(func() { signal.Stop(ch) })
	return func() {
		t.Helper()
		select {
		case <-ch:
		case <-time.After(patience):
			require.Fail(t, "os/signal has not heard of it")
		}
	}
}

func TestSignal(t *testing.T) {
	t.Run("UV-108", func(t *testing.T) {
		l, other := newLoop(t), newLoop(t)
		var told [3]int
		for i, on := range []*uv.Loop{l, other, other} {
			require.NoError(t, newSignal(t, on).Start(syscall.SIGUSR1, func(sig syscall.Signal) {
				require.Equal(t, syscall.SIGUSR1, sig)
				told[i]++
			}))
		}
		raise(t, syscall.SIGUSR1)
		until(t, l, "the signal on the first loop", func() bool { return told[0] > 0 })
		until(t, other, "the signal on the second loop", func() bool { return told[1] > 0 && told[2] > 0 })
		require.NoError(t, l.Poll(0))
		require.NoError(t, other.Poll(0))
		require.Equal(t, [3]int{1, 1, 1}, told)
	})

	t.Run("UV-110", func(t *testing.T) {
		l := newLoop(t)
		wait := notified(t, syscall.SIGUSR2)
		s := newSignal(t, l)
		told := 0
		require.NoError(t, s.StartOneshot(syscall.SIGUSR2, func(syscall.Signal) {
			told++
			require.False(t, s.IsActive())
		}))
		raise(t, syscall.SIGUSR2)
		until(t, l, "the signal", func() bool { return told == 1 })
		wait()
		require.Zero(t, s.Num())
		raise(t, syscall.SIGUSR2)
		wait()
		require.NoError(t, l.Poll(0))
		require.Equal(t, 1, told)
	})

	t.Run("UV-111", func(t *testing.T) {
		l := newLoop(t)
		wait := notified(t, syscall.SIGINT)
		s := newSignal(t, l)
		told := 0
		require.NoError(t, s.Start(syscall.SIGINT, func(syscall.Signal) { told++ }))
		raise(t, syscall.SIGINT)
		wait()
		until(t, l, "the signal", func() bool { return told == 1 })
		require.NoError(t, s.Stop())
		raise(t, syscall.SIGINT)
		wait()
		require.NoError(t, l.Poll(0))
		require.Equal(t, 1, told)

		exe, err := os.Executable()
		require.NoError(t, err)
		out, err := exec.Command(exe, childArg, "interrupt").CombinedOutput()
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit, "%s", out)
		require.Equal(t, syscall.SIGINT, exit.Sys().(syscall.WaitStatus).Signal(), "%s", out)
	})

	t.Run("UV-112", func(t *testing.T) {
		l := newLoop(t)
		s := newSignal(t, l)
		require.NoError(t, s.Start(syscall.SIGWINCH, func(syscall.Signal) {}))
		for _, sig := range []syscall.Signal{
			syscall.SIGURG, syscall.SIGSEGV, syscall.SIGKILL, 0, 65, -1, syscall.SIGSTOP, syscall.SIGPROF,
			syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL, syscall.SIGTRAP, 32, 33,
		} {
			require.ErrorIs(t, s.Start(sig, func(syscall.Signal) {}), uv.EINVAL, "%d", sig)
			require.ErrorIs(t, s.StartOneshot(sig, func(syscall.Signal) {}), syscall.EINVAL, "%d", sig)
		}
		require.ErrorIs(t, s.Start(syscall.SIGUSR1, nil), uv.EINVAL)
		require.Equal(t, syscall.SIGWINCH, s.Num(), "a refused start changes nothing")
	})

	t.Run("keeps the loop alive", func(t *testing.T) {
		l := newLoop(t)
		s := newSignal(t, l)
		require.Equal(t, uv.SignalHandle, s.Type())
		require.Equal(t, "signal", s.Type().String())
		require.False(t, l.Alive())
		require.NoError(t, s.Start(syscall.SIGUSR1, func(syscall.Signal) { require.NoError(t, s.Stop()) }))
		require.True(t, l.Alive())
		require.True(t, s.IsActive())
		s.Unref()
		require.False(t, l.Alive())
		s.Ref()
		raise(t, syscall.SIGUSR1)
		more, err := l.Run(uv.RunDefault)
		require.NoError(t, err)
		require.False(t, more)
	})

	t.Run("another number, another callback", func(t *testing.T) {
		l := newLoop(t)
		wait := notified(t, syscall.SIGUSR1)
		s := newSignal(t, l)
		var told []string
		note := func(name string) func(syscall.Signal) {
			return func(sig syscall.Signal) { told = append(told, fmt.Sprint(name, " ", sig)) }
		}
		require.NoError(t, s.Start(syscall.SIGUSR1, note("a")))
		require.NoError(t, s.Start(syscall.SIGUSR1, note("b")))
		raise(t, syscall.SIGUSR1)
		wait()
		until(t, l, "the first", func() bool { return len(told) == 1 })
		require.NoError(t, s.Start(syscall.SIGUSR2, note("c")))
		require.Equal(t, syscall.SIGUSR2, s.Num())
		raise(t, syscall.SIGUSR1)
		wait()
		raise(t, syscall.SIGUSR2)
		until(t, l, "the second", func() bool { return len(told) == 2 })
		require.Equal(t, []string{"b user defined signal 1", "c user defined signal 2"}, told)
	})

	t.Run("stopped in the turn that would tell", func(t *testing.T) {
		l := newLoop(t)
		wait := notified(t, syscall.SIGUSR1)
		var all [3]*uv.Signal
		told := 0
		for i := range all {
			all[i] = newSignal(t, l)
			require.NoError(t, all[i].Start(syscall.SIGUSR1, func(syscall.Signal) {
				told++
				for _, s := range all {
					if s != all[i] {
						require.NoError(t, s.Stop())
					}
				}
			}))
		}
		raise(t, syscall.SIGUSR1)
		wait()
		until(t, l, "the signal", func() bool { return told > 0 })
		require.NoError(t, l.Poll(0))
		require.Equal(t, 1, told)
	})

	t.Run("closed", func(t *testing.T) {
		l := newLoop(t)
		wait := notified(t, syscall.SIGUSR1)
		s := newSignal(t, l)
		require.NoError(t, s.Start(syscall.SIGUSR1, func(syscall.Signal) { t.Error("called after Close") }))
		require.ErrorIs(t, l.Close(), uv.ErrBusy)
		closed := false
		s.CloseWith(func() { closed = true })
		s.Close()
		raise(t, syscall.SIGUSR1)
		wait()
		until(t, l, "the close", func() bool { return closed })
		require.Equal(t, uv.ErrClosed, s.Start(syscall.SIGUSR1, func(syscall.Signal) {}))
		require.Equal(t, uv.ErrClosed, s.Stop())
		require.NoError(t, l.Close())
		_, err := l.NewSignal()
		require.Equal(t, uv.ErrClosed, err)
	})
}

// childInterrupt ends by Go's own handling of SIGINT.
func childInterrupt() error {
	l, err := uv.NewLoop()
	if err != nil {
		return err
	}
	s, err := l.NewSignal()
	if err != nil {
		return err
	}
	told := 0
	if err := s.Start(syscall.SIGINT, func(syscall.Signal) { told++ }); err != nil {
		return err
	}
	if err := uv.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		return err
	}
	for told == 0 {
		if err := l.Poll(time.Second); err != nil {
			return err
		}
	}
	if err := errors.Join(s.Stop(), uv.Kill(os.Getpid(), syscall.SIGINT)); err != nil {
		return err
	}
	time.Sleep(patience) // the signal ends the process before
	return errors.New("it lives")
}
