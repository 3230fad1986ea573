//go:build !amd64 && !arm64

package asyncio

import (
	"bytes"
	"runtime"
	"strconv"
)

// goroutineSelf identifies the goroutine that calls it. Without assembly for the
// processor it is the number in the first line of the goroutine's stack, "goroutine 17
// [running]:", which costs a microsecond.
func goroutineSelf() uintptr {
	var buf [64]byte
	text := bytes.TrimPrefix(buf[:runtime.Stack(buf[:], false)], []byte("goroutine "))
	if i := bytes.IndexByte(text, ' '); i > 0 {
		text = text[:i]
	}
	id, _ := strconv.ParseUint(string(text), 10, 64)
	return uintptr(id)
}

// threadLock would report whether the calling goroutine is locked to its thread; without
// assembly it does not.
func threadLock() uintptr { return 0 }

func findThreadLock() {}
