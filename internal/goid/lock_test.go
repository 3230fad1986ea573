//go:build amd64 || arm64

package goid

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// The lock word lies at no fixed place, and a new release of Go may move it out of reach
// or keep it another way.
func TestThreadLockIsFound(t *testing.T) {
	FindThreadLock()
	require.True(t, CanTellLock(), "%s hides the word in which a goroutine keeps the thread that it is locked to: among the "+
		"first %d words of the runtime's g there is not exactly one that is set by runtime.LockOSThread and cleared by "+
		"UnlockOSThread. Look for g.lockedm in runtime/runtime2.go and adapt findLockOffset; until then a task that locks its "+
		"goroutine and suspends ends the process instead of failing", runtime.Version(), wordsSearched)
}
