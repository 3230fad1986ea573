//go:build !amd64 && !arm64

package goid

// Self identifies the goroutine that calls it. Without assembly for the
// processor it is the number in the first line of the goroutine's stack, which costs a
// microsecond.
func Self() uintptr { return uintptr(ownNumber()) }

// Number is the number of a goroutine in the runtime's stack traces: Self itself here.
func Number(self uintptr) uint64 { return uint64(self) }

// CanTellLock reports whether ThreadLock tells: without assembly it never does.
func CanTellLock() bool { return false }

// ThreadLock is 0: without assembly nobody knows whether a goroutine is locked.
func ThreadLock() uintptr { return 0 }

// SelfAndLock is Self and ThreadLock in one call.
func SelfAndLock() (self, lock uintptr) { return Self(), 0 }

// FindThreadLock has nothing to find.
func FindThreadLock() {}
