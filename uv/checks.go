//go:build cgo

package uv

import (
	"bytes"
	"fmt"
	"runtime"
	"strconv"
)

// check panics if the loop runs on another goroutine.
func (l *Loop) check(method string) {
	if g := l.goid.Load(); g != 0 && g != goroutineID() {
		panic(fmt.Errorf("%s: %w", method, ErrWrongGoroutine))
	}
}

// goroutineID is the number of this goroutine. The runtime tells it only in a stack
// trace, which costs about 1 us.
func goroutineID() uint64 {
	var buf [64]byte
	b := buf[:runtime.Stack(buf[:], false)]
	b = bytes.TrimPrefix(b, []byte("goroutine "))
	n, _ := strconv.ParseUint(string(b[:bytes.IndexByte(b, ' ')]), 10, 64)
	return n
}
