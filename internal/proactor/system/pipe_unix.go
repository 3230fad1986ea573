//go:build linux || darwin || freebsd

package system

// Ends of pipes, and what else is read and written like one.

import (
	"fmt"
	"os"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// TakeFile gives open a non-blocking duplicate of f's descriptor, which open owns also
// when it fails, and then closes f. With an error f is as it was.
func TakeFile(f *os.File, use proactor.PipeUse, open func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	standard := false
	var failed error
	err = raw.Control(func(fd uintptr) {
		if standard = fd <= uintptr(syscall.Stderr); standard {
			failed = takeStandard(int(fd), use, open)
		} else {
			failed = takeDuplicate(int(fd), use, open)
		}
	})
	switch {
	case err != nil:
		return &os.PathError{Op: "open pipe", Path: f.Name(), Err: os.ErrClosed}
	case failed != nil:
		return fmt.Errorf("open pipe %s: %w", f.Name(), failed)
	case !standard:
		_ = f.Close()
	}
	return nil
}

// takeStandard puts the null device in the place of fd.
func takeStandard(fd int, use proactor.PipeUse, open func(fd int) error) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	if err := takeDuplicate(fd, use, open); err != nil {
		return err
	}
	_ = replace(int(null.Fd()), fd) // cannot fail on descriptors
	return nil
}

func takeDuplicate(fd int, use proactor.PipeUse, open func(fd int) error) error {
	if err := checkPipe(fd, use); err != nil {
		return err
	}
	flags, err := statusFlags(fd)
	if err != nil {
		return err
	}
	dup, err := Duplicate(fd)
	if err != nil {
		return err
	}
	_ = syscall.SetNonblock(dup, true) // cannot fail on a descriptor
	err = open(dup)
	if err != nil && flags&syscall.O_NONBLOCK == 0 {
		_ = syscall.SetNonblock(fd, false)
	}
	return err
}

// EndWriting sends the end of one direction of a socket.
func EndWriting(fd uintptr) error { return syscall.Shutdown(int(fd), syscall.SHUT_WR) }

// checkPipe refuses what is not read and written like a pipe.
func checkPipe(fd int, use proactor.PipeUse) error {
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFIFO, syscall.S_IFCHR:
	case syscall.S_IFSOCK:
		if err := checkSocket(fd); err != nil {
			return err
		}
	default:
		return syscall.EPERM
	}
	flags, err := statusFlags(fd)
	if err != nil {
		return err
	}
	switch mode := flags & syscall.O_ACCMODE; {
	case use&proactor.PipeRead != 0 && mode == syscall.O_WRONLY:
		return fmt.Errorf("it is not open for reading: %w", syscall.EBADF)
	case use&proactor.PipeWrite != 0 && mode == syscall.O_RDONLY:
		return fmt.Errorf("it is not open for writing: %w", syscall.EBADF)
	}
	return nil
}

// checkSocket refuses sockets without a peer. One that its peer has left may not know it
// any more, but has an end for its reader.
func checkSocket(fd int) error {
	kind, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE)
	switch {
	case err != nil:
		return os.NewSyscallError("getsockopt", err)
	case kind != syscall.SOCK_STREAM:
		return fmt.Errorf("it is no stream socket: %w", syscall.EPROTOTYPE)
	}
	if _, err = syscall.Getpeername(fd); err == nil {
		return nil
	}
	var b [1]byte
	if _, _, failed := syscall.Recvfrom(fd, b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT); failed == nil {
		return nil
	}
	return os.NewSyscallError("getpeername", err)
}

func statusFlags(fd int) (int, error) {
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0)
	if errno != 0 {
		return 0, os.NewSyscallError("fcntl", errno)
	}
	return int(flags), nil
}
