//go:build amd64 || arm64

package goid

// Is this goroutine locked to its thread? The runtime ends the process when coroutines
// are switched under another lock than they were made under, and has no function that
// tells. But one word of its descriptor of a goroutine is the thread that the goroutine
// is locked to, and 0 while there is none. Which one is found by locking a goroutine and
// looking what changes: once a process, in a few microseconds; a question then takes 1
// ns. If not exactly one word behaves so, the answer is always 0, and the runtime's own
// check remains.

import (
	"math/bits"
	"runtime"
	"sync"
)

const (
	wordBytes     = 8
	wordsSearched = 48 // the descriptor is longer
	searches      = 3  // that have to agree
)

var (
	findLockOnce sync.Once
	lockOffset   uintptr // of the word; 0: not found. Set before the first loop is made
)

// CanTellLock reports whether ThreadLock tells, once FindThreadLock has returned. If it
// does not, a new Go has hidden the word.
func CanTellLock() bool { return lockOffset != 0 }

// ThreadLock is the thread that the calling goroutine is locked to; 0: none, or not
// known.
func ThreadLock() uintptr {
	if lockOffset == 0 {
		return 0
	}
	return word(lockOffset)
}

// SelfAndLock is Self and ThreadLock in one call: a call of assembly in another package
// costs 1 ns, and every Await wants both.
func SelfAndLock() (self, lock uintptr) {
	if lockOffset == 0 {
		return Self(), 0
	}
	return selfAndWord(lockOffset)
}

// FindThreadLock lets ThreadLock tell. It takes a goroutine that is not locked.
func FindThreadLock() {
	findLockOnce.Do(func() {
		found := make(chan uintptr)
		go func() { found <- findLockOffset() }()
		lockOffset = <-found
	})
}

func findLockOffset() uintptr {
	candidates := uint64(1)<<wordsSearched - 1
	for range searches {
		before := words()
		runtime.LockOSThread()
		locked := words()
		runtime.UnlockOSThread()
		after := words()
		for i := range wordsSearched {
			if before[i] != 0 || locked[i] == 0 || after[i] != 0 {
				candidates &^= 1 << i
			}
		}
	}
	if bits.OnesCount64(candidates) != 1 {
		return 0
	}
	return uintptr(bits.TrailingZeros64(candidates)) * wordBytes
}

func words() (words [wordsSearched]uintptr) {
	for i := range words {
		words[i] = word(uintptr(i) * wordBytes)
	}
	return words
}
