//go:build !amd64 && !arm64

package goid

import (
	"bytes"
	"runtime"
	"strconv"
)

// Self identifies the goroutine that calls it. Without assembly for the
// processor it is the number in the first line of the goroutine's stack, "goroutine 17
// [running]:", which costs a microsecond.
func Self() uintptr {
	var buf [64]byte
	text := bytes.TrimPrefix(buf[:runtime.Stack(buf[:], false)], []byte("goroutine "))
	if i := bytes.IndexByte(text, ' '); i > 0 {
		text = text[:i]
	}
	id, _ := strconv.ParseUint(string(text), 10, 64)
	return uintptr(id)
}

// CanTellLock reports whether ThreadLock tells: without assembly it never does.
func CanTellLock() bool { return false }

// ThreadLock is 0: without assembly nobody knows whether a goroutine is locked.
func ThreadLock() uintptr { return 0 }

// SelfAndLock is Self and ThreadLock in one call.
func SelfAndLock() (self, lock uintptr) { return Self(), 0 }

// FindThreadLock has nothing to find.
func FindThreadLock() {}
