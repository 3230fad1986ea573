package chat

// The room: who is there, and how what one says gets to all.

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/seed-a026a017/asyncio"
)

// room is who is there. All tasks of the loop share it without a lock: only one runs at a time, and none of the methods
// below is interrupted except where it awaits.
type room struct {
	members  []*member // in the order in which they came
	patience time.Duration
}

type member struct {
	name string
	w    *asyncio.StreamWriter
}

// enter lets somebody in.
func (r *room) enter(ctx context.Context, name string, w *asyncio.StreamWriter) (*member, error) {
	m := &member{name, w}
	r.members = append(r.members, m)
	return m, r.say(ctx, "* "+name+" joined\n")
}

// leave takes somebody out and tells the others.
func (r *room) leave(ctx context.Context, m *member) error {
	r.members = slices.DeleteFunc(r.members, func(other *member) bool { return other == m })
	return r.say(ctx, "* "+m.name+" left\n")
}

// say sends a line to everybody, and then waits until nobody is far behind.
//
// Writing does not suspend, so the line goes to all members before any other task can say something: everybody sees the same
// lines in the same order. The waiting is the back-pressure. Who calls say does not read from its own client meanwhile, so
// that client cannot send either: the room talks as fast as its slowest member listens.
func (r *room) say(ctx context.Context, line string) error {
	present := slices.Clone(r.members) // others may come and go while we wait
	for _, m := range present {
		if m.w.IsClosing() {
			continue // on its way out
		}
		if _, err := io.WriteString(m.w, line); err != nil {
			m.w.Transport().Abort() // its connection broke; its own task takes it out
		}
	}
	for _, m := range present {
		if m.w.IsClosing() {
			continue
		}
		err := asyncio.Timeout(ctx, r.patience, m.w.Drain)
		switch {
		case errors.Is(err, asyncio.ErrTimeout):
			m.w.Transport().Abort() // the room's patience is over
		case errors.Is(err, asyncio.ErrCancelled):
			return err // it is we who are to end
		case err != nil:
			m.w.Transport().Abort() // its connection broke; its own task takes it out
		}
	}
	return nil
}
