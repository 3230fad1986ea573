//go:build amd64 || arm64

package goid

// The number of a goroutine, by which stack traces name it, is a word of the runtime's
// descriptor too, and is found as the lock is: by goroutines that know their number and
// look where it stands. Then the descriptor of any other goroutine tells its number,
// which is set when it begins and stays.

import (
	"math/bits"
	"sync"
)

var (
	findNumberOnce sync.Once
	numberOffset   uintptr // of the word; 0: not found
)

// Number is the number of a goroutine in stack traces, by what Self is in it; 0: not
// known. The goroutine must live.
func Number(self uintptr) uint64 {
	findNumberOnce.Do(findNumber)
	if numberOffset == 0 || self == 0 {
		return 0
	}
	return uint64(wordOf(self, numberOffset))
}

func findNumber() {
	candidates := uint64(1)<<wordsSearched - 1
	for range searches {
		found := make(chan uint64)
		go func() { found <- wordsLike(ownNumber()) }()
		candidates &= <-found
	}
	if bits.OnesCount64(candidates) == 1 {
		numberOffset = uintptr(bits.TrailingZeros64(candidates)) * wordBytes
	}
}

// wordsLike is a bit for each word of the calling goroutine's descriptor that is n.
func wordsLike(n uint64) (bits uint64) {
	for i, w := range words() {
		if uint64(w) == n {
			bits |= 1 << i
		}
	}
	return bits
}
