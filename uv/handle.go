//go:build cgo

package uv

// What all handles have in common.
//
// States: open -> closing -> closed. Close moves to closing and stops everything at once;
// a later turn moves to closed and calls the close callback, which is the last call a
// handle makes.
//
// A handle of libuv has a slot in the bridge. A local handle (timer, idle, prepare,
// check, async) has none, and counts in Loop.refs while it is active and referenced.

import (
	"strconv"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// HandleType is the kind of a handle, uv_handle_type.
type HandleType uint8

// The kinds of handles.
const (
	UnknownHandle HandleType = iota
	AsyncHandle
	CheckHandle
	IdleHandle
	PrepareHandle
	TCPHandle
	PipeHandle
	TimerHandle
	PollHandle
	UDPHandle
	FSEventHandle
	FSPollHandle
	ProcessHandle
	SignalHandle
	TTYHandle
	FileHandle // of GuessHandle only
)

var handleNames = [...]string{
	"unknown", "async", "check", "idle", "prepare", "tcp", "pipe", "timer", "poll", "udp",
	"fs_event", "fs_poll", "process", "signal", "tty", "file",
}

// String is libuv's name of the kind; uv_handle_type_name.
func (t HandleType) String() string {
	if int(t) < len(handleNames) {
		return handleNames[t]
	}
	return "HandleType(" + strconv.Itoa(int(t)) + ")"
}

// Handle is what all handles offer.
type Handle interface {
	// Close stops the handle, and closes its descriptor, at once. It is idempotent;
	// uv_close.
	Close()
	// CloseWith is Close; closed is called when the handle is closed, after everything
	// else it has to report. It does nothing, and drops closed, if the handle is closing
	// already.
	CloseWith(closed func())
	// IsActive reports whether the handle is started or has something outstanding;
	// uv_is_active.
	IsActive() bool
	// IsClosing reports whether the handle is closing or closed; uv_is_closing.
	IsClosing() bool
	// Ref and Unref say whether the handle keeps Run(RunDefault) running while it is
	// active. They are idempotent.
	Ref()
	Unref()
	HasRef() bool
	Type() HandleType
	Loop() *Loop
	// SetData keeps a value with the handle, and Data returns it.
	SetData(v any)
	Data() any
}

const (
	handleOpen uint8 = iota
	handleClosing
	handleClosed
)

// handle is the common part. It is small because there is one for every connection.
type handle struct {
	loop  *Loop
	slot  uint32 // of a local handle: its index in Loop.locals
	gen   uint32 // of a local handle: 0
	state uint8
	kind  HandleType
	// unreferenced and active describe Ref and, for a local handle, IsActive.
	unreferenced, active bool
	fd                   int32 // of a stream, see Stream.rawFD
	x                    *handleExtra
}

// handleExtra is what few handles have.
type handleExtra struct {
	data   any
	closed func()
	leakID uint64 // see leak.go
}

func (h *handle) extra() *handleExtra {
	if h.x == nil {
		h.x = new(handleExtra)
	}
	return h.x
}

func (h *handle) id() uint64 { return uint64(h.gen)<<32 | uint64(h.slot) }

// IsClosing reports whether the handle is closing or closed; uv_is_closing.
func (h *handle) IsClosing() bool { return h.state != handleOpen }

// HasRef reports whether the handle, while active, keeps Run(RunDefault) running;
// uv_has_ref.
func (h *handle) HasRef() bool { return !h.unreferenced }

// Type is the kind of the handle; uv_handle_get_type.
func (h *handle) Type() HandleType { return h.kind }

// Loop is the loop of the handle; uv_handle_get_loop.
func (h *handle) Loop() *Loop { return h.loop }

// SetData keeps a value with the handle; uv_handle_set_data.
func (h *handle) SetData(v any) { h.extra().data = v }

// Data is what SetData was given last; uv_handle_get_data.
func (h *handle) Data() any {
	if h.x == nil {
		return nil
	}
	return h.x.data
}

// Ref makes the handle keep Run(RunDefault) running while it is active, which is how it
// begins; uv_ref. Idempotent.
func (h *handle) Ref() { h.setRef("Ref", true) }

// Unref undoes Ref; uv_unref. Idempotent.
func (h *handle) Unref() { h.setRef("Unref", false) }

func (h *handle) setRef(method string, on bool) {
	h.loop.use(method)
	if h.state == handleClosed || h.unreferenced != on {
		return
	}
	if h.active {
		h.loop.refs += map[bool]int{true: 1, false: -1}[on]
	}
	h.unreferenced = !on
	if h.gen == 0 {
		return
	}
	kind := uint8(cbridge.OpUnref)
	if on {
		kind = cbridge.OpRef
	}
	h.loop.submit(kind, h.slot, h.gen, 0)
}

// setActive keeps Loop.refs: of local handles, and of handles whose activity lies in Go
// for a while.
func (h *handle) setActive(on bool) {
	if h.active == on {
		return
	}
	h.active = on
	if h.unreferenced {
		return
	}
	if on {
		h.loop.refs++
	} else {
		h.loop.refs--
	}
}

// check tells why an operation cannot begin.
func (h *handle) check(method string) error {
	h.loop.use(method)
	if h.state != handleOpen {
		return ErrClosed
	}
	return nil
}

// fail makes the error of an operation on the handle.
func (h *handle) fail(op string, code int) error {
	return &Error{Op: op, Kind: h.kind, Errno: Errno(code)}
}

// result is fail for a code that may be 0.
func (h *handle) result(op string, code int) error {
	if code == 0 {
		return nil
	}
	return h.fail(op, code)
}

func (h *handle) setBufferSize(op string, receive bool, n int) error {
	if n <= 0 {
		return h.fail(op, int(EINVAL)) // libuv would take 0 for a question
	}
	_, err := h.bufferSize(op, receive, n)
	return err
}

func (h *handle) bufferSize(op string, receive bool, n int) (int, error) {
	if err := h.check(op); err != nil {
		return 0, err
	}
	got, code := h.loop.b.BufferSize(h.id(), receive, n)
	return got, h.result(op, code)
}

// local is a handle without a slot. Embedding types have a method stop that undoes their
// start.
type local struct {
	handle
}

func (l *Loop) addLocal(h *local, self Handle, kind HandleType) error {
	l.use("New" + kind.String())
	if l.state.Load() == loopClosed {
		return ErrClosed
	}
	h.handle = handle{loop: l, slot: uint32(len(l.locals)), kind: kind}
	l.locals = append(l.locals, self)
	h.born()
	return nil
}

// IsActive reports whether the handle is started; uv_is_active.
func (h *local) IsActive() bool { return h.active }

func (h *local) place() *uint32 { return &h.slot }

// close moves a stopped handle to closing, and lets a turn finish it.
func (h *local) close(closed func()) {
	h.state = handleClosing
	l := h.loop
	l.later(func() {
		h.state = handleClosed
		h.gone()
		last := len(l.locals) - 1
		l.locals[h.slot] = l.locals[last]
		*l.locals[h.slot].(interface{ place() *uint32 }).place() = h.slot
		l.locals[last] = nil
		l.locals = l.locals[:last]
		if closed != nil {
			closed()
		}
	})
}
