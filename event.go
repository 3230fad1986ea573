package asyncio

// Event.

import "context"

// Event is a flag that tasks wait for: asyncio.Event. It is for tasks of one loop. The
// zero value is not set.
type Event struct {
	loopBinding
	line waitQueue
	set  bool
}

// NewEvent makes an event that is not set: asyncio.Event().
func NewEvent() *Event { return &Event{} }

// Set sets the flag: Event.set. All tasks that wait return from Wait, also if Clear
// follows at once.
func (e *Event) Set() {
	e.set = true
	e.line.wakeAll()
}

// Clear takes the flag back: Event.clear.
func (e *Event) Clear() { e.set = false }

// IsSet reports whether the flag is set: Event.is_set.
func (e *Event) IsSet() bool { return e.set }

// Wait waits until the flag is set: Event.wait. If it is, Wait does not yield to the
// loop. The error is ErrNotCurrentTask outside a task, and ErrWrongLoop if tasks of
// another loop have waited for the event.
// Suspends. Cancelled: nothing changes.
func (e *Event) Wait(ctx context.Context) error {
	a, err := enterTask(ctx, "Event.Wait")
	if err != nil || e.set {
		return err
	}
	if err := e.bind(a.task.loop, "Event"); err != nil {
		return err
	}
	_, err = e.line.wait(a)
	return err
}
