package proactor

// Signals: what the system, or another process, tells this one.
//
//   - heard is called by a later Poll. Signals that come before it was called are one, so
//     each signal is heard in the order in which its first came.
//   - Every watch hears of its signal, whoever else does: other watches, of this driver
//     or of another one, and channels of os/signal.
//   - After stop, which is idempotent, and after Close heard is not called. The end of
//     the last watch gives the signal back before it returns: it does again what it did.
//   - What comes while nobody polls is told by the next Poll.

import "syscall"

// Signaler watches signals.
type Signaler interface {
	// WatchSignal begins to watch. The error is EINVAL for a number that no program can
	// hear of, because the kernel or Go's runtime keeps it for itself.
	WatchSignal(sig syscall.Signal, heard func()) (stop func(), err error)
}
