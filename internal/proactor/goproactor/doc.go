// Package goproactor is the proactor in pure Go: package net below, no cgo.
//
// Goroutines wait, the loop acts. A connection that reads has one goroutine, parked in
// the runtime's poller until there is something to read; a connection that the kernel
// takes no more bytes from has a second one until it does. A listener and a pending
// connect have one each. They put what has happened into one queue, which Poll takes as a
// whole.
//
// Invariants:
//   - Every field belongs to the loop's goroutine unless its comment names another owner.
//   - A completion in the queue owns what it carries (a buffer, a connection) until
//     complete is called or Close drops it.
//   - Only the loop closes descriptors, so it may use one that it has not closed.
//   - A goroutine never waits for the loop while it holds something that Close needs.
package goproactor
