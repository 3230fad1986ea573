//go:build cgo

package uv_test

import (
	"bytes"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

func TestDumpHandles(t *testing.T) {
	l := newLoop(t)
	idle := newTimer(t, l)
	c := newTCP(t, l)
	require.NoError(t, idle.Start(time.Hour, 0, func() {}))
	idle.Unref()
	var all, active bytes.Buffer
	require.NoError(t, l.DumpHandles(&all, false))
	require.NoError(t, l.DumpHandles(&active, true))
	require.Regexp(t, `^\[R--\] tcp +0x[0-9a-f]+\n\[-A-\] timer +0x[0-9a-f]+\n$`, all.String())
	require.Regexp(t, `^\[-A-\] timer +0x[0-9a-f]+\n$`, active.String())
	require.Contains(t, all.String(), active.String())
	require.ErrorIs(t, l.DumpHandles(nil, false), uv.EINVAL)
	require.ErrorIs(t, l.DumpHandles(full{}, false), syscall.ENOSPC)
	idle.Close()
	c.Close()
	run(t, l, uv.RunDefault)
	all.Reset()
	require.NoError(t, l.DumpHandles(&all, false))
	require.Empty(t, all.String())
	require.NoError(t, l.Close())
	require.ErrorIs(t, l.DumpHandles(&all, false), uv.ErrClosed)
}

// full is a writer that takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestIdleTime(t *testing.T) {
	for name, way := range waits {
		t.Run(name, func(t *testing.T) {
			l := newLoop(t, uv.WithIdleMetrics(), uv.WithWait(way))
			require.Zero(t, l.IdleTime())
			timer := newTimer(t, l)
			const wait = 30 * time.Millisecond
			require.NoError(t, timer.Start(wait, 0, func() {}))
			began := time.Now()
			run(t, l, uv.RunDefault)
			idle := l.IdleTime()
			require.Greater(t, idle, wait/2)
			require.LessOrEqual(t, idle, time.Since(began))

			// Another goroutine sees it grow while the loop waits.
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer l.Stop()
				for was, end := idle, time.Now().Add(patience); time.Now().Before(end); {
					now := l.IdleTime()
					if now < was || now > idle+wait {
						return
					}
					was = now
				}
			}()
			require.NoError(t, l.RunForever(t.Context()))
			<-done
			require.Greater(t, l.IdleTime(), idle+wait)

			// A callback that computes is no idleness.
			idle = l.IdleTime()
			require.NoError(t, timer.Start(0, 0, func() {
				for end := time.Now().Add(wait); time.Now().Before(end); {
				}
			}))
			began = time.Now()
			run(t, l, uv.RunDefault)
			require.LessOrEqual(t, l.IdleTime()-idle, time.Since(began)-wait)
			require.NoError(t, l.Shutdown(t.Context()))
			require.GreaterOrEqual(t, l.IdleTime(), idle, "also of a closed loop")
		})
	}
	t.Run("nobody asked", func(t *testing.T) {
		l := newLoop(t)
		timer := newTimer(t, l)
		require.NoError(t, timer.Start(2*time.Millisecond, 0, func() {}))
		run(t, l, uv.RunDefault)
		require.Zero(t, l.IdleTime())
	})
}

func TestMetricsInfo(t *testing.T) {
	l := newLoop(t)
	before, err := l.MetricsInfo()
	if hasSince(t, 45, err) {
		require.NoError(t, err)
		connectedPair(t, l)
		after, err := l.MetricsInfo()
		require.NoError(t, err)
		require.Greater(t, after.LoopCount, before.LoopCount)
		require.Greater(t, after.Events, before.Events)
	}
	require.NoError(t, l.Shutdown(t.Context()))
	_, err = l.MetricsInfo()
	require.ErrorIs(t, err, uv.ErrClosed)
}

func TestLoopOptions(t *testing.T) {
	t.Run("SIGPROF", func(t *testing.T) {
		l := newLoop(t, uv.WithBlockSIGPROF())
		fired := false
		require.NoError(t, newTimer(t, l).Start(5*time.Millisecond, 0, func() { fired = true }))
		go func() {
			for range 50 {
				syscall.Kill(syscall.Getpid(), syscall.SIGPROF)
			}
		}()
		run(t, l, uv.RunDefault)
		require.True(t, fired)
	})
	t.Run("io_uring", func(t *testing.T) {
		before := descriptors()
		l, err := uv.NewLoop(uv.WithIOUring())
		if hasSince(t, 49, err) {
			require.NoError(t, err)
			require.NoError(t, l.Close())
		} else {
			require.Nil(t, l)
		}
		require.Equal(t, before, descriptors())
	})
	t.Run("names of kinds", func(t *testing.T) {
		var names []string
		for k := uv.UnknownHandle; k <= uv.FileHandle+1; k++ {
			names = append(names, k.String())
		}
		require.Equal(t, []string{
			"unknown", "async", "check", "idle", "prepare", "tcp", "pipe", "timer", "poll", "udp",
			"fs_event", "fs_poll", "process", "signal", "tty", "file", "HandleType(16)",
		}, names)
	})
}
