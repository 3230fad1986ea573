// Package goid tells goroutines apart, and whether one is locked to its thread.
//
// A loop and each of its coroutines is tied to a goroutine, and a call from another would
// switch stacks under a running goroutine's feet, which the runtime cannot survive. So
// Await compares goroutines, on every call. The runtime keeps the current goroutine in a
// register or in thread-local storage; Self reads it, which costs 1 ns.
package goid
