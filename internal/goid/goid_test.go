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

// The lock word lies at no fixed place, and a new release of Go may move it out of reach
// or keep it another way.
func TestThreadLockIsFound(t *testing.T) {
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		require.False(t, CanTellLock(), "there is no assembly for %s", runtime.GOARCH)
		return
	}
	FindThreadLock()
	require.True(t, CanTellLock(), "%s hides the word in which a goroutine keeps the thread that it is locked to: among the "+
		"first %d words of the runtime's g there is not exactly one that is set by runtime.LockOSThread and cleared by "+
		"UnlockOSThread. Look for g.lockedm in runtime/runtime2.go and adapt findLockOffset; until then a task that locks its "+
		"goroutine and suspends ends the process instead of failing", runtime.Version(), wordsSearched)
}

func TestThreadLockFollowsTheLock(t *testing.T) {
	FindThreadLock()
	if !CanTellLock() {
		return // TestThreadLockIsFound says why
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
