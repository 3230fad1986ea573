package asyncio

// Calls that wait until a descriptor is ready.

import (
	"context"
	"fmt"
	"time"
)

// descriptorUse is a call's hold on one direction of a descriptor: from its first wait to
// its end.
type descriptorUse struct {
	d     *descriptor
	write bool
}

// useDescriptor takes hold of a direction. There is one call at a time for each: a second
// one would leave the first without what it has waited for. Its caller calls done.
func (l *Loop) useDescriptor(fd int, write bool) (descriptorUse, error) {
	d, err := l.watched(fd)
	if err != nil {
		return descriptorUse{}, err
	}
	dir := d.direction(write)
	if dir.used {
		if write {
			return descriptorUse{}, fmt.Errorf("%w: another task waits to write to descriptor %d", ErrInvalidState, fd)
		}
		return descriptorUse{}, fmt.Errorf("%w: another task waits to read from descriptor %d: %w", ErrInvalidState, fd, ErrConcurrentRead)
	}
	dir.used = true
	if err := d.adjust(nil); err != nil {
		return descriptorUse{}, err
	}
	return descriptorUse{d: d, write: write}, nil
}

// wait suspends a's task until the direction is ready. The error may be that the number
// is another file's by then: nothing may be done with it.
func (u descriptorUse) wait(a awaiter) error {
	if err := u.d.check(); err != nil {
		return err
	}
	if err := u.d.direction(u.write).waits.wait(a); err != nil {
		return err
	}
	return u.d.check()
}

// rest suspends the task for d, and the watch with it: the direction is ready, and that
// was no use.
func (u descriptorUse) rest(ctx context.Context, d time.Duration) error {
	dir := u.d.direction(u.write)
	dir.resting = true
	if err := u.d.adjust(nil); err != nil {
		return err
	}
	if err := Sleep(ctx, d); err != nil {
		return err
	}
	dir.resting = false
	return u.d.adjust(nil)
}

// done gives the direction back.
func (u descriptorUse) done() {
	dir := u.d.direction(u.write)
	dir.used, dir.resting = false, false
	_ = u.d.adjust(nil) // an error is told to whoever else uses the descriptor
}
