package goid

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSelfTellsGoroutinesApart(t *testing.T) {
	here := Self()
	require.NotZero(t, here)
	require.Equal(t, here, Self(), "it stays the same")
	there := make(chan uintptr)
	for range 3 {
		go func() { there <- Self() }()
		require.NotEqual(t, here, <-there)
	}
}

func TestThreadLockFollowsTheLock(t *testing.T) {
	FindThreadLock()
	if !CanTellLock() {
		return // without assembly, or TestThreadLockIsFound says why
	}
	require.Zero(t, ThreadLock())
	runtime.LockOSThread()
	first := ThreadLock()
	runtime.LockOSThread()
	second := ThreadLock()
	runtime.UnlockOSThread()
	still := ThreadLock()
	runtime.UnlockOSThread()
	require.NotZero(t, first)
	self, lock := SelfAndLock()
	require.Equal(t, Self(), self)
	require.Equal(t, ThreadLock(), lock)
	require.Equal(t, first, second, "it names the thread, not how often")
	require.Equal(t, first, still)
	require.Zero(t, ThreadLock())
}

func BenchmarkSelf(b *testing.B) {
	for b.Loop() {
		Self()
	}
}

func BenchmarkThreadLock(b *testing.B) {
	FindThreadLock()
	for b.Loop() {
		ThreadLock()
	}
}
