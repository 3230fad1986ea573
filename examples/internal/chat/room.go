package chat

// The rooms: who is there, and how what one says gets to all.

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/seed-a026a017/asyncio"
)

// house is the rooms that somebody is in. All tasks of the loop share it without a lock:
// only one runs at a time, and none of the methods below is interrupted except where it
// awaits.
type house struct {
	rooms    map[string]*room // by name
	patience time.Duration
}

// room is where everybody hears everybody. It says no more to those of another room than
// a wall does.
type room struct {
	name    string
	house   *house
	members []*member // in the order in which they came
}

type member struct {
	name string
	w    *asyncio.StreamWriter
}

// room finds a room, or opens it for the one who comes first.
func (h *house) room(name string) *room {
	r := h.rooms[name]
	if r == nil {
		r = &room{name: name, house: h}
		h.rooms[name] = r
	}
	return r
}

// enter lets somebody in.
func (r *room) enter(ctx context.Context, name string, w *asyncio.StreamWriter) (*member, error) {
	m := &member{name, w}
	r.members = append(r.members, m)
	return m, r.say(ctx, "* "+name+" joined\n")
}

// leave takes somebody out and tells the others. Nothing is kept of a room that all have
// left.
func (r *room) leave(ctx context.Context, m *member) error {
	r.members = slices.DeleteFunc(r.members, func(other *member) bool { return other == m })
	if len(r.members) == 0 {
		delete(r.house.rooms, r.name)
	}
	return r.say(ctx, "* "+m.name+" left\n")
}

// shut tells everybody that it is over. After that nobody hears how the others leave.
func (r *room) shut(ctx context.Context) error {
	err := r.say(ctx, "* the room is closed\n")
	r.members = nil
	return err
}

// say sends a line to everybody in the room, and then waits until nobody is far behind.
//
// Writing does not suspend, so the line goes to all members before any other task can say
// something: everybody sees the same lines in the same order. The waiting is the
// back-pressure. Who calls say does not read from its own client meanwhile, so that
// client cannot send either: the room talks as fast as its slowest member listens.
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
		err := asyncio.Timeout(ctx, r.house.patience, m.w.Drain)
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
