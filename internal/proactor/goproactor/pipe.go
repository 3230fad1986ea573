package goproactor

// Pipes: a pipe is a stream whose conn is a file.

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/internal/proactor/system"
)

// pipeConn is the file as newStream takes it.
type pipeConn struct{ *os.File }

func (pipeConn) LocalAddr() net.Addr  { return nil }
func (pipeConn) RemoteAddr() net.Addr { return nil }

// CloseWrite is for sockets. Others refuse it.
func (c pipeConn) CloseWrite() (err error) {
	raw, err := c.File.SyscallConn()
	if err != nil {
		return err
	}
	return errors.Join(raw.Control(func(fd uintptr) { err = system.EndWriting(fd) }), err)
}

// SyscallConn tells of a closed file as package net tells of a closed socket.
func (c pipeConn) SyscallConn() (syscall.RawConn, error) {
	raw, err := c.File.SyscallConn()
	return pipeRaw{raw}, err
}

type pipeRaw struct{ syscall.RawConn }

func (r pipeRaw) Read(f func(fd uintptr) bool) error  { return closedError(r.RawConn.Read(f)) }
func (r pipeRaw) Write(f func(fd uintptr) bool) error { return closedError(r.RawConn.Write(f)) }

// closedError is for calls without a deadline, which fail on a closed file only.
func closedError(err error) error {
	if err != nil {
		return net.ErrClosed
	}
	return nil
}

func (d *driver) OpenPipe(f *os.File, use proactor.PipeUse) (proactor.Stream, error) {
	if d.closed {
		return nil, fmt.Errorf("open pipe %s: the proactor is closed: %w", f.Name(), net.ErrClosed)
	}
	var s proactor.Stream
	err := system.TakeFile(f, use, func(fd int) (err error) {
		s, err = d.openPipe(fd, use)
		return err
	})
	return s, err
}

// openPipe owns fd.
func (d *driver) openPipe(fd int, use proactor.PipeUse) (proactor.Stream, error) {
	file := os.NewFile(uintptr(fd), "pipe")
	if err := isPolled(file, fd); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	s, err := newStream(d, pipeConn{file})
	if err != nil {
		return nil, err
	}
	s.use = use
	return s, nil
}
