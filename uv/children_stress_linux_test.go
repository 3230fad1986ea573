//go:build cgo

package uv_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// stress is children of uv and of os/exec, goroutines whose stacks grow and shrink, and
// signals, all at once.
type stress struct {
	spawns, atOnce, busy, signals int

	l       *uv.Loop
	started int
	running int
	ended   int
	stdins  []*uv.Pipe
	unsent  atomic.Int64 // signals
	stop    atomic.Bool
	group   sync.WaitGroup
	failed  chan error
}

func TestChildrenStress(t *testing.T) {
	s := stress{spawns: 100, atOnce: 30, busy: 10, signals: 200}
	if soak {
		s = stress{spawns: 5000, atOnce: 500, busy: 200, signals: 10_000}
	}
	if slow {
		s.spawns, s.atOnce = s.spawns/5, s.atOnce/5
	}
	s.failed = make(chan error, 1)
	s.l = newLoop(t)
	newPipe(t, s.l).Close() // with the first stream libuv opens a descriptor that it keeps
	until(t, s.l, "the close", func() bool { return !s.l.Alive() })
	before := descriptors()
	told := map[syscall.Signal]int{}
	for _, sig := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGWINCH} {
		w := newSignal(t, s.l)
		w.Unref()
		require.NoError(t, w.Start(sig, func(sig syscall.Signal) { told[sig]++ }))
		s.unsent.Add(int64(s.signals))
		s.beside(s.send(sig))
	}
	for range s.busy {
		s.beside(s.descend)
	}
	s.beside(s.execs)
	s.beside(s.execs)

	start := time.Now()
	for s.started < s.atOnce {
		s.spawn(t, "read go; exit")
	}
	t.Logf("%d at once: %v", s.atOnce, time.Since(start))
	for _, p := range s.stdins {
		require.NoError(t, p.CloseWrite(func(error) { p.Close() }))
	}
	for s.ended < s.spawns {
		for s.started < s.spawns && s.running < 16 {
			s.spawn(t, "exit")
		}
		require.NoError(t, s.l.Poll(time.Second))
		require.Empty(t, s.failed)
	}
	t.Logf("%d: %v", s.spawns, time.Since(start))
	until(t, s.l, "the last signal", func() bool { return s.unsent.Load() == 0 })
	s.stop.Store(true)
	s.group.Wait()
	require.Empty(t, s.failed)
	until(t, s.l, "the signals", func() bool { return told[syscall.SIGUSR1] > 0 && told[syscall.SIGWINCH] > 0 })
	noZombies(t)
	require.Empty(t, badActions())
	require.NoError(t, s.l.Shutdown(context.Background()))
	require.LessOrEqual(t, len(descriptors()), len(before), "%v, %v", before, descriptors())
}

// beside runs a function on a goroutine until the end of the test.
func (s *stress) beside(f func() error) {
	s.group.Go(func() {
		for !s.stop.Load() {
			if err := f(); err != nil {
				select {
				case s.failed <- err:
				default:
				}
				return
			}
		}
	})
}

// spawn starts a child whose code is its number.
func (s *stress) spawn(t *testing.T, script string) {
	code := s.started % 256
	in, err := s.l.NewPipe()
	require.NoError(t, err)
	opt := shell(fmt.Sprint(script, " ", code))
	opt.Stdio = []uv.StdioContainer{{Kind: uv.StdioCreatePipe, Stream: &in.Stream, Flags: uv.StdioReadable}}
	var p *uv.Process
	p, err = s.l.Spawn(opt, func(status uv.ExitStatus) {
		require.Equal(t, uv.ExitStatus{Code: code}, status)
		p.Close()
		s.running--
		s.ended++
	})
	require.NoError(t, err)
	s.started++
	s.running++
	if s.started <= s.atOnce {
		s.stdins = append(s.stdins, in)
	} else {
		in.Close()
	}
}

// send sends signals to this process, as many as it shall, and no more.
func (s *stress) send(sig syscall.Signal) func() error {
	left := s.signals
	return func() error {
		if left == 0 {
			time.Sleep(time.Millisecond) // until the test is over
			return nil
		}
		left--
		s.unsent.Add(-1)
		runtime.Gosched()
		return syscall.Kill(os.Getpid(), sig)
	}
}

// descend grows the stack of a goroutine, and shrinks it again.
func (s *stress) descend() error {
	var down func(n int) byte
	down = func(n int) byte {
		var pad [128]byte
		if n > 0 {
			pad[n%len(pad)] = down(n - 1)
		}
		return pad[n%len(pad)] + 1
	}
	if down(200) == 0 {
		return errors.New("it has lost count")
	}
	runtime.Gosched()
	return nil
}

// execs runs children of os/exec.
func (s *stress) execs() error {
	err := exec.Command("sh", "-c", "exit 77").Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 77 {
		return fmt.Errorf("a child of os/exec: %w", err)
	}
	return nil
}
