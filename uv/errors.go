//go:build cgo

package uv

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// Errno is one of libuv's error codes, a negative number. On Unix most are a negated
// errno.
//
// errors.Is matches an Errno with the errors of the standard library that mean the same:
// the syscall.Errno, and fs.ErrNotExist, fs.ErrExist, fs.ErrPermission,
// os.ErrDeadlineExceeded, context.Canceled, io.EOF and errors.ErrUnsupported.
type Errno int32

// libuv's errors. Those that the system has too have its number, negated.
const (
	E2BIG           Errno = -Errno(syscall.E2BIG)
	EACCES          Errno = -Errno(syscall.EACCES)
	EADDRINUSE      Errno = -Errno(syscall.EADDRINUSE)
	EADDRNOTAVAIL   Errno = -Errno(syscall.EADDRNOTAVAIL)
	EAFNOSUPPORT    Errno = -Errno(syscall.EAFNOSUPPORT)
	EAGAIN          Errno = -Errno(syscall.EAGAIN)
	EAI_ADDRFAMILY  Errno = -3000
	EAI_AGAIN       Errno = -3001
	EAI_BADFLAGS    Errno = -3002
	EAI_BADHINTS    Errno = -3013
	EAI_CANCELED    Errno = -3003
	EAI_FAIL        Errno = -3004
	EAI_FAMILY      Errno = -3005
	EAI_MEMORY      Errno = -3006
	EAI_NODATA      Errno = -3007
	EAI_NONAME      Errno = -3008
	EAI_OVERFLOW    Errno = -3009
	EAI_PROTOCOL    Errno = -3014
	EAI_SERVICE     Errno = -3010
	EAI_SOCKTYPE    Errno = -3011
	EALREADY        Errno = -Errno(syscall.EALREADY)
	EBADF           Errno = -Errno(syscall.EBADF)
	EBUSY           Errno = -Errno(syscall.EBUSY)
	ECANCELED       Errno = -Errno(syscall.ECANCELED)
	ECHARSET        Errno = -4080
	ECONNABORTED    Errno = -Errno(syscall.ECONNABORTED)
	ECONNREFUSED    Errno = -Errno(syscall.ECONNREFUSED)
	ECONNRESET      Errno = -Errno(syscall.ECONNRESET)
	EDESTADDRREQ    Errno = -Errno(syscall.EDESTADDRREQ)
	EEXIST          Errno = -Errno(syscall.EEXIST)
	EFAULT          Errno = -Errno(syscall.EFAULT)
	EFBIG           Errno = -Errno(syscall.EFBIG)
	EHOSTUNREACH    Errno = -Errno(syscall.EHOSTUNREACH)
	EINTR           Errno = -Errno(syscall.EINTR)
	EINVAL          Errno = -Errno(syscall.EINVAL)
	EIO             Errno = -Errno(syscall.EIO)
	EISCONN         Errno = -Errno(syscall.EISCONN)
	EISDIR          Errno = -Errno(syscall.EISDIR)
	ELOOP           Errno = -Errno(syscall.ELOOP)
	EMFILE          Errno = -Errno(syscall.EMFILE)
	EMSGSIZE        Errno = -Errno(syscall.EMSGSIZE)
	ENAMETOOLONG    Errno = -Errno(syscall.ENAMETOOLONG)
	ENETDOWN        Errno = -Errno(syscall.ENETDOWN)
	ENETUNREACH     Errno = -Errno(syscall.ENETUNREACH)
	ENFILE          Errno = -Errno(syscall.ENFILE)
	ENOBUFS         Errno = -Errno(syscall.ENOBUFS)
	ENODEV          Errno = -Errno(syscall.ENODEV)
	ENOENT          Errno = -Errno(syscall.ENOENT)
	ENOEXEC         Errno = -Errno(syscall.ENOEXEC) // told by 1.50 and later
	ENOMEM          Errno = -Errno(syscall.ENOMEM)
	ENOPROTOOPT     Errno = -Errno(syscall.ENOPROTOOPT)
	ENOSPC          Errno = -Errno(syscall.ENOSPC)
	ENOSYS          Errno = -Errno(syscall.ENOSYS)
	ENOTCONN        Errno = -Errno(syscall.ENOTCONN)
	ENOTDIR         Errno = -Errno(syscall.ENOTDIR)
	ENOTEMPTY       Errno = -Errno(syscall.ENOTEMPTY)
	ENOTSOCK        Errno = -Errno(syscall.ENOTSOCK)
	ENOTSUP         Errno = -Errno(syscall.ENOTSUP)
	EOVERFLOW       Errno = -Errno(syscall.EOVERFLOW)
	EPERM           Errno = -Errno(syscall.EPERM)
	EPIPE           Errno = -Errno(syscall.EPIPE)
	EPROTO          Errno = -Errno(syscall.EPROTO)
	EPROTONOSUPPORT Errno = -Errno(syscall.EPROTONOSUPPORT)
	EPROTOTYPE      Errno = -Errno(syscall.EPROTOTYPE)
	ERANGE          Errno = -Errno(syscall.ERANGE)
	EROFS           Errno = -Errno(syscall.EROFS)
	ESHUTDOWN       Errno = -Errno(syscall.ESHUTDOWN)
	ESPIPE          Errno = -Errno(syscall.ESPIPE)
	ESRCH           Errno = -Errno(syscall.ESRCH)
	ETIMEDOUT       Errno = -Errno(syscall.ETIMEDOUT)
	ETXTBSY         Errno = -Errno(syscall.ETXTBSY)
	EXDEV           Errno = -Errno(syscall.EXDEV)
	UNKNOWN         Errno = -4094
	EOF             Errno = -4095
	ENXIO           Errno = -Errno(syscall.ENXIO)
	EMLINK          Errno = -Errno(syscall.EMLINK)
	EHOSTDOWN       Errno = -Errno(syscall.EHOSTDOWN)
	ENOTTY          Errno = -Errno(syscall.ENOTTY)
	EILSEQ          Errno = -Errno(syscall.EILSEQ)
	ESOCKTNOSUPPORT Errno = -Errno(syscall.ESOCKTNOSUPPORT)
)

var errnos = sync.OnceValue(func() map[Errno]cbridge.Errno {
	m := make(map[Errno]cbridge.Errno)
	for _, e := range cbridge.Errnos() {
		m[Errno(e.Code)] = e
	}
	return m
})

// Name is the symbolic name, such as "ECONNREFUSED"; uv_err_name.
func (e Errno) Name() string {
	if x, ok := errnos()[e]; ok {
		return x.Name
	}
	return "Unknown system error " + strconv.Itoa(int(e))
}

// Error is the message, such as "connection refused"; uv_strerror.
func (e Errno) Error() string {
	if x, ok := errnos()[e]; ok {
		return x.Text
	}
	return "Unknown system error " + strconv.Itoa(int(e))
}

// Is reports whether the error means the same as target.
func (e Errno) Is(target error) bool {
	switch target {
	case fs.ErrNotExist:
		return e == ENOENT
	case fs.ErrExist:
		return e == EEXIST || e == ENOTEMPTY
	case fs.ErrPermission:
		return e == EACCES || e == EPERM
	case os.ErrDeadlineExceeded:
		return e == ETIMEDOUT
	case context.Canceled:
		return e == ECANCELED
	case io.EOF:
		return e == EOF
	case errors.ErrUnsupported:
		return e == ENOSYS || e == ENOTSUP
	}
	if sys, ok := target.(syscall.Errno); ok {
		return e > -3000 && sys == syscall.Errno(-e)
	}
	return false
}

// Timeout reports whether the error is a timeout, as net.Error.
func (e Errno) Timeout() bool { return e == ETIMEDOUT || e == EAGAIN }

// Temporary reports whether trying again may help, as net.Error.
func (e Errno) Temporary() bool {
	switch e {
	case EINTR, EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, ECONNRESET, EAI_AGAIN, ETIMEDOUT:
		return true
	}
	return false
}

// FromSyscall is libuv's code for an error of the system; uv_translate_sys_error.
func FromSyscall(e syscall.Errno) Errno { return -Errno(e) }

// Errors of the facade itself.
var (
	// ErrClosed is an operation on a loop or handle that is closed or closing. errors.Is
	// finds net.ErrClosed in it too.
	ErrClosed error = closedError{}
	// ErrBusy is Loop.Close while handles or requests are left. errors.Is finds EBUSY in
	// it too.
	ErrBusy error = busyError{}
	// ErrNotSupported is what the system, or the libuv in use, lacks: ENOSYS. errors.Is
	// finds errors.ErrUnsupported in it too.
	ErrNotSupported error = ENOSYS
	// ErrLoopRunning is a run of a loop from inside itself or from a second goroutine.
	ErrLoopRunning = errors.New("uv: the loop runs already; Stop ends that run, Post adds work to it")
	// ErrWrongGoroutine is what a method panics with, under WithChecks, when a goroutine
	// other than the loop's calls it.
	ErrWrongGoroutine = errors.New("uv: called from a goroutine that does not run the loop; use Loop.Post")
)

type closedError struct{}

func (closedError) Error() string        { return "uv: use of a closed loop or handle" }
func (closedError) Is(target error) bool { return target == net.ErrClosed }

type busyError struct{}

func (busyError) Error() string {
	return "uv: the loop still has handles or requests; close or cancel them and run the loop, or use Shutdown"
}
func (busyError) Is(target error) bool { return target == EBUSY || target == syscall.EBUSY }

// Error is a failed operation: what was done, to what, and libuv's code for it. Unwrap
// gives the Errno.
type Error struct {
	Op    string // such as "connect"
	Kind  HandleType
	Addr  string // the address or path concerned, if there is one
	Errno Errno
}

func (e *Error) Error() string {
	s := "uv: " + e.Op
	if e.Kind != UnknownHandle {
		s = "uv: " + e.Kind.String() + " " + e.Op
	}
	if e.Addr != "" {
		s += " " + e.Addr
	}
	return s + ": " + e.Errno.Error() + " (" + e.Errno.Name() + ")"
}

// Unwrap gives the code, which errors.Is and errors.As then see.
func (e *Error) Unwrap() error { return e.Errno }

// Timeout reports whether the error is a timeout, as net.Error.
func (e *Error) Timeout() bool { return e.Errno.Timeout() }

// Temporary reports whether trying again may help, as net.Error.
func (e *Error) Temporary() bool { return e.Errno.Temporary() }

// lacking is the error of an operation that libuv has from 1.minor on.
func lacking(op string, minor int) error {
	return &Error{Op: op + " needs libuv 1." + strconv.Itoa(minor) + ", and " + VersionString() + " is linked", Errno: ENOSYS}
}

// since is systemError of such an operation.
func since(op string, minor, code int) error {
	if code == int(ENOSYS) {
		return lacking(op, minor)
	}
	return systemError(op, code)
}

// systemError is that of an operation on nothing of the loop's, nil for 0.
func systemError(op string, code int) error {
	if code == 0 {
		return nil
	}
	return &Error{Op: op, Errno: Errno(code)}
}
