package goid

import (
	"bytes"
	"runtime"
	"strconv"
)

// ownNumber is the number of the goroutine that calls it: that in the first line of its
// stack, "goroutine 17 [running]:".
func ownNumber() uint64 {
	var buf [64]byte
	text := bytes.TrimPrefix(buf[:runtime.Stack(buf[:], false)], []byte("goroutine "))
	if i := bytes.IndexByte(text, ' '); i > 0 {
		text = text[:i]
	}
	number, _ := strconv.ParseUint(string(text), 10, 64)
	return number
}
