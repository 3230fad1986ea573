// Package uv is libuv in Go: every handle and request as a Go type, without cgo in sight
// of its user.
//
// A Loop runs turns. In a turn libuv polls once and everything that has happened is then
// reported by calling the functions that were given to the handles, one after another, on
// the goroutine that runs the loop. Nothing is reported from inside the call that caused
// it, so a callback may do anything, closing its own handle included.
//
// All methods are for the goroutine that runs the loop, and for any one goroutine while
// it does not run. Only [Loop.Post], [Loop.Stop], [Loop.Wake] and [Async.Send] may be
// called from anywhere, at any time.
//
// The names are libuv's. What differs from libuv follows from where the callbacks run:
// they come after the poll, not in the middle of it, so prepare, idle and check callbacks
// and timers are phases of the turn in Go, and what libuv would have told a handle that
// an earlier callback stopped or closed is not told.
//
// A loop waits as a C program does: its thread blocks in libuv. [WithWait] chooses
// another way, for a loop beside which other goroutines run.
//
// The package is empty without cgo.
package uv
