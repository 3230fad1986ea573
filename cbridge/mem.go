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

// FailAllocation makes the n'th counted allocation from now on fail, once; 0: none. It
// returns what was left of an earlier count: 0 if that one has failed.
func FailAllocation(n int64) int64 { return int64(C.br_fail_allocation(C.int64_t(n), 0)) }

// FailAllocations makes the n'th counted allocation from now on fail, and all behind it
// until the next count, which returns -1 then.
func FailAllocations(n int64) { C.br_fail_allocation(C.int64_t(n), 1) }
