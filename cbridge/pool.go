//go:build cgo

package cbridge

/*
#include "requests.h"
*/
import "C"

// PoolStart starts so many threads of libuv's pool, unless there are some already, or
// returns a libuv code. Any goroutine.
func PoolStart(threads int) int { return int(C.br_pool_start(C.uint(threads))) }
