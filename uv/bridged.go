//go:build cgo

package uv

// Handles of libuv's that are no streams. Each has a slot in the bridge, and the records
// of that slot are for it. Streams, of which there may be very many, keep their own way:
// Loop.streams.

import "github.com/seed-a026a017/asyncio/cbridge"

// bridged is what such handles have in common.
type bridged struct{ handle }

// bridgedHandle is a type that embeds bridged.
type bridgedHandle interface {
	Handle
	common() *bridged
	// record takes in a record of the handle, which is not its last one.
	record(r cbridge.Record)
	// ended ends what is outstanding: the handle is closed.
	ended()
}

// addBridged makes the Go side of a handle that the bridge has made.
func (l *Loop) addBridged(h bridgedHandle, kind HandleType, id uint64) {
	b := h.common()
	b.handle = handle{loop: l, slot: uint32(id), gen: uint32(id >> 32), kind: kind}
	if l.bridged == nil {
		l.bridged = make(map[uint32]bridgedHandle)
	}
	l.bridged[b.slot] = h
	b.born()
}

func (b *bridged) common() *bridged { return b }

// IsActive reports whether the handle is started or has something outstanding;
// uv_is_active.
func (b *bridged) IsActive() bool {
	b.loop.use(b.kind.String() + ".IsActive")
	if b.state != handleOpen {
		return false
	}
	b.loop.flush()
	return b.active || b.loop.b.IsActive(b.id())
}

// Fd is the descriptor, borrowed; uv_fileno. The error is ErrClosed, or EBADF while there
// is none.
func (b *bridged) Fd() (uintptr, error) {
	if err := b.check(b.kind.String() + ".Fd"); err != nil {
		return 0, err
	}
	fd := b.loop.b.Fileno(b.id())
	if fd < 0 {
		return 0, b.fail("fileno", fd)
	}
	return uintptr(fd), nil
}

// Close stops the handle at once; uv_close. Idempotent.
func (b *bridged) Close() { b.CloseWith(nil) }

// CloseWith is Close with a callback, which comes after everything else that the handle
// has to report.
func (b *bridged) CloseWith(closed func()) {
	if b.check(b.kind.String()+".Close") != nil {
		return
	}
	b.loop.submit(cbridge.OpClose, b.slot, b.gen, 0)
	b.loop.flush()
	b.state = handleClosing
	if closed != nil {
		b.extra().closed = closed
	}
}

// recordBridged gives a record to the handle that it is for.
func (l *Loop) recordBridged(h bridgedHandle, r cbridge.Record) {
	b := h.common()
	switch {
	case r.Gen != b.gen:
	case r.Kind == cbridge.RecClosed:
		b.state = handleClosed
		b.gone()
		delete(l.bridged, b.slot)
		l.submit(cbridge.OpAck, b.slot, b.gen, 0)
		h.ended()
		if b.x != nil && b.x.closed != nil {
			l.later(b.x.closed)
		}
	default:
		h.record(r)
	}
}
