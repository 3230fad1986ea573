//go:build linux || darwin || freebsd

package asyncio

// The system calls behind the calls on sockets. They return errNotReady where they would
// block.

import (
	"io"
	"net"
	"os"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor/system"
)

// sockResult says which system call has failed.
func sockResult(call string, err error) error {
	switch err {
	case nil:
		return nil
	case syscall.EAGAIN:
		return errNotReady
	}
	return os.NewSyscallError(call, err)
}

// sockBlocks reports whether the descriptor is in blocking mode.
func sockBlocks(fd int) (bool, error) {
	if err := system.CheckDescriptor(fd); err != nil {
		return false, err
	}
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0)
	if errno != 0 {
		return false, os.NewSyscallError("fcntl", errno)
	}
	return flags&syscall.O_NONBLOCK == 0, nil
}

// sockType is SOCK_STREAM, SOCK_DGRAM and so on; 0 if that cannot be told.
func sockType(fd int) int {
	kind, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE)
	if err != nil {
		return 0
	}
	return kind
}

// sockIsStream reports whether fd is a socket of a stream.
func sockIsStream(fd int) bool { return sockType(fd) == syscall.SOCK_STREAM }

func sockRecv(fd int, p []byte) (int, error) {
	n, _, err := sockReceive(fd, p)
	return n, err
}

func sockRecvFrom(fd int, p []byte) (int, net.Addr, error) {
	n, sa, err := sockReceive(fd, p)
	if err != nil || sa == nil {
		return n, nil, err
	}
	return n, sockAddr(sa, sockType(fd)), nil
}

// sockReceive returns io.EOF at the end of what has one.
func sockReceive(fd int, p []byte) (int, syscall.Sockaddr, error) {
	for {
		n, from, err := syscall.Recvfrom(fd, p, 0)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return 0, nil, sockResult("recvfrom", err)
		case n == 0 && len(p) > 0:
			if kind := sockType(fd); kind == syscall.SOCK_STREAM || kind == syscall.SOCK_SEQPACKET {
				return 0, nil, io.EOF
			}
		}
		return n, from, nil
	}
}

func sockSendTo(fd int, p []byte, addr net.Addr) (int, error) {
	var to syscall.Sockaddr
	if addr != nil {
		var err error
		if to, err = sockaddrFor(fd, addr); err != nil {
			return 0, err
		}
	}
	for {
		n, err := syscall.SendmsgN(fd, p, nil, to, sendFlags)
		if err == nil {
			return n, nil
		}
		if err != syscall.EINTR {
			return 0, sockResult("sendmsg", err)
		}
	}
}

// sockConnect begins to connect, or finds that this has begun already. A Unix socket
// whose peer's backlog is full has not: there is nothing to wait for.
func sockConnect(fd int, addr net.Addr) error {
	to, err := sockaddrFor(fd, addr)
	if err != nil {
		return err
	}
	switch err := syscall.Connect(fd, to); err {
	case syscall.EINPROGRESS, syscall.EALREADY, syscall.EINTR:
		return errNotReady
	default:
		return os.NewSyscallError("connect", err)
	}
}

// sockConnected tells how the attempt has ended, if it has.
func sockConnected(fd int) error {
	code, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ERROR)
	switch {
	case err != nil:
		return os.NewSyscallError("getsockopt", err)
	case code != 0:
		return os.NewSyscallError("connect", syscall.Errno(code))
	}
	_, err = syscall.Getpeername(fd)
	if err == syscall.ENOTCONN {
		return errNotReady
	}
	return os.NewSyscallError("getpeername", err)
}

// sockAccept passes over connections that are gone already.
func sockAccept(fd int) (int, net.Addr, error) {
	for {
		conn, from, err := acceptNonblock(fd)
		switch err {
		case nil:
			if from == nil {
				return conn, nil, nil
			}
			return conn, sockAddr(from, sockType(conn)), nil
		case syscall.EINTR, syscall.ECONNABORTED:
			continue
		}
		return -1, nil, sockResult("accept", err)
	}
}
