//go:build unix

package signals_test

import (
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-a026a017/asyncio/internal/signals"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

// raise sends a signal to this process.
func raise(t *testing.T, sig syscall.Signal) {
	t.Helper()
	require.NoError(t, syscall.Kill(os.Getpid(), sig))
}

func receive[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		require.Fail(t, "nothing came")
		panic("unreachable")
	}
}

func TestWatch(t *testing.T) {
	told := make(chan string, 10)
	watch := func(name string) func() {
		stop, err := signals.Watch(syscall.SIGUSR1, func() { told <- name })
		require.NoError(t, err)
		return stop
	}
	a, b, c := watch("a"), watch("b"), watch("c")
	raise(t, syscall.SIGUSR1)
	require.Equal(t, []string{"a", "b", "c"}, []string{receive(t, told), receive(t, told), receive(t, told)})
	b()
	b()
	raise(t, syscall.SIGUSR1)
	require.Equal(t, []string{"a", "c"}, []string{receive(t, told), receive(t, told)})
	a()
	c()
	c()
	require.Empty(t, told)
}

// Of signals that come while the watchers are being told, at least one is told of
// afterwards, and all that wait are one.
func TestAtOnce(t *testing.T) {
	var told atomic.Int32
	first, open := make(chan struct{}), make(chan struct{})
	stop, err := signals.Watch(syscall.SIGUSR1, func() {
		if told.Add(1) == 1 {
			close(first)
			<-open
		}
	})
	require.NoError(t, err)
	defer stop()
	raise(t, syscall.SIGUSR1)
	receive(t, first)
	witness := make(chan os.Signal, 1)
	signal.Notify(witness, syscall.SIGUSR1)
	for range 100 {
		raise(t, syscall.SIGUSR1)
		receive(t, witness)
	}
	signal.Stop(witness) // which waits until all channels have what came
	close(open)
	require.Eventually(t, func() bool { return told.Load() == 2 }, patience, time.Millisecond)
}

// The last stop gives the signal back, and the next watch takes it again.
func TestGiveBack(t *testing.T) {
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGWINCH)
	defer signal.Stop(heard)
	told := make(chan bool, 10)
	for range 3 {
		stop, err := signals.Watch(syscall.SIGWINCH, func() { told <- true })
		require.NoError(t, err)
		raise(t, syscall.SIGWINCH)
		receive(t, told)
		require.Equal(t, syscall.SIGWINCH, receive(t, heard))
		stop()
		raise(t, syscall.SIGWINCH)
		require.Equal(t, syscall.SIGWINCH, receive(t, heard))
		require.Empty(t, told)
	}
}

func TestRefused(t *testing.T) {
	for _, sig := range []syscall.Signal{
		-1, 0, syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGURG, syscall.SIGPROF, syscall.SIGSEGV,
		syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL, syscall.SIGTRAP, 32, 33, 65, 1 << 20,
	} {
		_, err := signals.Watch(sig, func() {})
		require.Equal(t, syscall.EINVAL, err, "%d", sig)
	}
	for _, sig := range []syscall.Signal{
		syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGCHLD, syscall.SIGPIPE, syscall.SIGTSTP,
	} {
		stop, err := signals.Watch(sig, func() {})
		require.NoError(t, err, "%d", sig)
		stop()
	}
}
