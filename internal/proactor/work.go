package proactor

// Work: functions that block.
//
//   - Functions run side by side: one may wait for another, whichever was given first.
//   - fn tells the loop of its end itself, through the loop's inbox and Wake.
//   - How many run at once is the caller's business. A driver sets no limit.
//   - A panic of fn ends the program, as in any goroutine.

// Worker runs functions beside the loop.
type Worker interface {
	// Work runs fn on another goroutine, and does not wait for it. It may be called from
	// any goroutine and at any time, also after Close: what was given runs.
	Work(fn func())
}
