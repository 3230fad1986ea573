//go:build cgo

package cbridge

// Memory: counting what libuv and the bridge allocate.

/*
#include "bridge.h"
*/
import "C"

// CountAllocations counts the allocations of libuv and of the bridge from now on. It must
// precede the first loop.
func CountAllocations() bool { return C.br_count_allocations() == 0 }

// LiveAllocations is the balance of counted allocations, -1 when they are not counted.
func LiveAllocations() int64 { return int64(C.br_live_allocations()) }
