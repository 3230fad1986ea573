//go:build cgo

package cbridge

// Random bytes.

/*
#cgo noescape br_random
#cgo nocallback br_random
#cgo noescape br_job_random
#cgo nocallback br_job_random
#cgo noescape br_random_now
#cgo nocallback br_random_now
#include "requests.h"
*/
import "C"

// RandomMax is how many bytes libuv gives at once.
const RandomMax = C.BR_RANDOM_BYTES_MAX

// Random begins to make n random bytes on the pool; RecDone follows if the code is 0.
func (l *Loop) Random(n int) (uint64, int) {
	var id C.uint64_t
	code := C.br_random(l.c, C.size_t(n), &id)
	return uint64(id), int(code)
}

// RandomBytes copies the result of a request whose RecDone has told no error. p is as
// long as was asked for.
func (l *Loop) RandomBytes(id uint64, p []byte) {
	C.br_job_random(l.c, C.uint64_t(id), chars(p), C.size_t(len(p)))
}

// RandomNow fills p at once, and blocks. Any goroutine.
func RandomNow(p []byte) int { return int(C.br_random_now(chars(p), C.size_t(len(p)))) }
