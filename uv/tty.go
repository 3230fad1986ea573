//go:build cgo

package uv

// Terminals.

import (
	"math"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// TTY is a terminal, uv_tty_t; Stream.Handle gives it. Close restores its mode, and so
// does a panic that leaves Run, RunForever or Poll. So does, on Linux, a signal that ends
// the process because nobody handles it, such as SIGTERM; but SIGQUIT, at which Go prints
// all goroutines, and SIGKILL do not. After an end of input, Ctrl-D, another ReadStart
// reads on.
type TTY struct {
	Stream
}

// NewTTY makes a handle of the terminal that fd is; uv_tty_init. fd stays the caller's.
// The handle opens the terminal again, so what it does to its descriptor does not show on
// fd. Where it cannot, as of the master of a pseudo-terminal, it uses a copy: if fd waits
// for writes to be done, so do the handle's. The errors are ErrClosed, EINVAL if fd is no
// terminal, and EBADF.
func (l *Loop) NewTTY(fd uintptr) (*TTY, error) {
	l.use("Loop.NewTTY")
	if l.state.Load() == loopClosed {
		return nil, ErrClosed
	}
	id, code := uint64(0), int(EBADF)
	if fd <= math.MaxInt32 {
		id, code = l.b.NewTTY(int(fd))
	}
	if code != 0 {
		return nil, &Error{Op: "init", Kind: TTYHandle, Errno: Errno(code)}
	}
	t := new(TTY)
	t.handle = handle{loop: l, slot: uint32(id), gen: uint32(id >> 32), kind: TTYHandle}
	t.flags = streamConnected
	l.register(&t.Stream)
	t.born()
	return t, nil
}

// TTYMode is how a terminal treats what is typed; uv_tty_mode_t.
type TTYMode int

// The modes of a terminal.
const (
	TTYNormal TTYMode = cbridge.TTYNormal // by lines, as it was found
	TTYRaw    TTYMode = cbridge.TTYRaw    // by keys, without echo and signals
	TTYIO     TTYMode = cbridge.TTYIO     // by bytes, in and out
	TTYRawVT  TTYMode = cbridge.TTYRawVT  // TTYRaw, on Windows with sequences; libuv 1.51
)

// SetMode sets the mode of the terminal, which all its handles share, once what was
// written has left; uv_tty_set_mode. TTYNormal is what it was before the first change.
// The errors are ErrClosed, EINVAL for another number, ErrNotSupported for TTYRawVT
// before libuv 1.51, EMFILE, and EIO of a terminal that is gone.
func (t *TTY) SetMode(mode TTYMode) error {
	if err := t.check("TTY.SetMode"); err != nil {
		return err
	}
	t.loop.flush()
	return t.result("set_mode", t.loop.b.TTYMode(t.id(), int(mode)))
}

// WinSize is the size of the terminal in characters; uv_tty_get_winsize. SIGWINCH tells
// that it has changed.
func (t *TTY) WinSize() (cols, rows int, err error) {
	if err := t.check("TTY.WinSize"); err != nil {
		return 0, 0, err
	}
	cols, rows, code := t.loop.b.TTYSize(t.id())
	return cols, rows, t.result("get_winsize", code)
}

// ResetTTY restores the mode of every terminal that SetMode has changed, for a program
// that is about to end; uv_tty_reset_mode. Any goroutine may call it. The error is EBUSY
// while SetMode runs.
func ResetTTY() error {
	if code := cbridge.TTYReset(); code != 0 {
		return &Error{Op: "reset_mode", Kind: TTYHandle, Errno: Errno(code)}
	}
	return nil
}

// restoreTerminals is for a panic that leaves the loop.
func (l *Loop) restoreTerminals() {
	for _, s := range l.streams {
		if s != nil && s.kind == TTYHandle && s.state == handleOpen {
			l.b.TTYRestore(s.id())
		}
	}
}

// VTerm says whether a console understands sequences by itself; uv_tty_vtermstate_t.
type VTerm int

// What a console may do.
const (
	VTermSupported VTerm = iota
	VTermUnsupported
)

// SetVTermState says what the console does; uv_tty_set_vterm_state. It matters on Windows
// only. The error is EINVAL for another number.
func SetVTermState(v VTerm) error {
	if v != VTermSupported && v != VTermUnsupported {
		return &Error{Op: "set_vterm_state", Kind: TTYHandle, Errno: EINVAL}
	}
	return nil
}

// VTermState is what the console does, on Windows; uv_tty_get_vterm_state. Elsewhere the
// error is ErrNotSupported.
func VTermState() (VTerm, error) {
	return VTermUnsupported, &Error{Op: "get_vterm_state", Kind: TTYHandle, Errno: ENOSYS}
}
