//go:build cgo

package cbridge

/*
#cgo noescape br_tcp_new
#cgo nocallback br_tcp_new
#cgo noescape br_buffer_size
#cgo nocallback br_buffer_size
#cgo noescape br_read
#cgo nocallback br_read
#cgo noescape br_write
#cgo nocallback br_write
#cgo noescape br_try_write
#cgo nocallback br_try_write
#cgo noescape br_tcp_bind
#cgo nocallback br_tcp_bind
#cgo noescape br_tcp_connect
#cgo nocallback br_tcp_connect
#cgo noescape br_tcp_name
#cgo nocallback br_tcp_name
#cgo noescape br_pipe_new
#cgo nocallback br_pipe_new
#cgo noescape br_pipe_bind
#cgo nocallback br_pipe_bind
#cgo noescape br_pipe_connect
#cgo nocallback br_pipe_connect
#cgo noescape br_pipe_name
#cgo nocallback br_pipe_name
#include "bridge.h"
*/
import "C"

import "unsafe"

// AddrBytes is room for every address that TCPName writes.
const AddrBytes = C.BR_ADDR_BYTES

// Flags of TCPBind.
const (
	BindV6Only    = C.BR_BIND_V6ONLY
	BindReusePort = C.BR_BIND_REUSEPORT
	BindExclusive = C.BR_BIND_EXCLUSIVE
)

func flag(on bool) C.int {
	if on {
		return 1
	}
	return 0
}

func chars(p []byte) *C.char { return (*C.char)(unsafe.Pointer(unsafe.SliceData(p))) }

// Handles are named by an id, slot | gen << 32. Functions return 0 or a libuv code unless
// their comment says otherwise.

// NewTCP makes a TCP handle; family is 0 or an address family whose socket is made at
// once.
func (l *Loop) NewTCP(family uint) (uint64, int) {
	var id C.uint64_t
	err := C.br_tcp_new(l.c, C.uint(family), &id)
	return uint64(id), int(err)
}

// Open gives a handle the descriptor, which it owns from then on. It returns 1 if the
// descriptor reads and writes, 0 if it is a socket that does not yet, or a libuv code.
func (l *Loop) Open(id uint64, fd int) int {
	return int(C.br_open(l.c, C.uint64_t(id), C.int(fd)))
}

// IsActive is uv_is_active.
func (l *Loop) IsActive(id uint64) bool { return C.br_is_active(l.c, C.uint64_t(id)) != 0 }

// Fileno is the descriptor, or a libuv code.
func (l *Loop) Fileno(id uint64) int { return int(C.br_fileno(l.c, C.uint64_t(id))) }

// BufferSize gets (value 0) or sets the size of the socket's send or receive buffer.
func (l *Loop) BufferSize(id uint64, receive bool, value int) (int, int) {
	v := C.int(value)
	err := C.br_buffer_size(l.c, C.uint64_t(id), flag(receive), &v)
	return int(v), int(err)
}

// CloseReset closes with a RST.
func (l *Loop) CloseReset(id uint64) int { return int(C.br_close_reset(l.c, C.uint64_t(id))) }

// Listen listens and accepts up to room connections, -1 without limit, until an
// OpAcceptRoom gives more; if stopped, after an OpAcceptStart.
func (l *Loop) Listen(id uint64, backlog int, noDelay bool, keepAliveSeconds, room int, stopped bool) int {
	return int(C.br_listen(l.c, C.uint64_t(id), C.int(backlog), flag(noDelay), C.int(keepAliveSeconds), C.int(room), flag(stopped)))
}

// Read reads into p and returns the number of bytes, 0 if there are none or the stream is
// at its end, or a libuv code, after which reading has stopped.
func (l *Loop) Read(id uint64, p []byte) int {
	return int(C.br_read(l.c, C.uint64_t(id), chars(p), C.size_t(len(p))))
}

// Write writes the pieces of operation op, -1 for none, and then p. It returns the number
// of bytes that the bridge keeps because the kernel did not take them, or a libuv code.
func (l *Loop) Write(id uint64, op int, p []byte) int {
	return int(C.br_write(l.c, C.uint64_t(id), C.int(op), chars(p), C.size_t(len(p))))
}

// TryWrite returns the number of bytes that the kernel took, or a libuv code.
func (l *Loop) TryWrite(id uint64, p []byte) int {
	return int(C.br_try_write(l.c, C.uint64_t(id), chars(p), C.size_t(len(p))))
}

// IsReadable is uv_is_readable.
func (l *Loop) IsReadable(id uint64) bool { return C.br_is_readable(l.c, C.uint64_t(id)) != 0 }

// IsWritable is uv_is_writable.
func (l *Loop) IsWritable(id uint64) bool { return C.br_is_writable(l.c, C.uint64_t(id)) != 0 }

// SetBlocking is uv_stream_set_blocking.
func (l *Loop) SetBlocking(id uint64, on bool) int {
	return int(C.br_set_blocking(l.c, C.uint64_t(id), flag(on)))
}

// TCPBind binds to a sockaddr_in or sockaddr_in6.
func (l *Loop) TCPBind(id uint64, addr []byte, flags uint) int {
	return int(C.br_tcp_bind(l.c, C.uint64_t(id), unsafe.Pointer(unsafe.SliceData(addr)), C.uint(len(addr)), C.uint(flags)))
}

// TCPConnect begins to connect; RecConnect follows if it returns 0.
func (l *Loop) TCPConnect(id uint64, addr []byte) int {
	return int(C.br_tcp_connect(l.c, C.uint64_t(id), unsafe.Pointer(unsafe.SliceData(addr)), C.uint(len(addr))))
}

// TCPNoDelay is uv_tcp_nodelay.
func (l *Loop) TCPNoDelay(id uint64, on bool) int {
	return int(C.br_tcp_nodelay(l.c, C.uint64_t(id), flag(on)))
}

// TCPKeepAlive is uv_tcp_keepalive; a delay of 0 is UV_EINVAL with every version of
// libuv.
func (l *Loop) TCPKeepAlive(id uint64, on bool, delaySeconds uint) int {
	return int(C.br_tcp_keepalive(l.c, C.uint64_t(id), flag(on), C.uint(delaySeconds)))
}

// TCPSimultaneousAccepts is uv_tcp_simultaneous_accepts.
func (l *Loop) TCPSimultaneousAccepts(id uint64, on bool) int {
	return int(C.br_tcp_simultaneous_accepts(l.c, C.uint64_t(id), flag(on)))
}

// TCPName writes the local or the peer's address to addr, AddrBytes long, and returns its
// length, or a libuv code.
func (l *Loop) TCPName(id uint64, peer bool, addr []byte) int {
	return int(C.br_tcp_name(l.c, C.uint64_t(id), flag(peer), unsafe.Pointer(unsafe.SliceData(addr))))
}

// NewPipe makes a handle of a Unix domain socket or pipe.
func (l *Loop) NewPipe() (uint64, int) {
	var id C.uint64_t
	err := C.br_pipe_new(l.c, &id)
	return uint64(id), int(err)
}

// PipeBind binds to a path; one that begins with a NUL is a name in Linux's abstract name
// space.
func (l *Loop) PipeBind(id uint64, path string) int {
	return int(C.br_pipe_bind(l.c, C.uint64_t(id), unsafe.Pointer(unsafe.StringData(path)), C.uint(len(path))))
}

// PipeConnect begins to connect; RecConnect follows if it returns 0.
func (l *Loop) PipeConnect(id uint64, path string) int {
	return int(C.br_pipe_connect(l.c, C.uint64_t(id), unsafe.Pointer(unsafe.StringData(path)), C.uint(len(path))))
}

// PipeName writes the local or the peer's path and returns its length, or a libuv code.
func (l *Loop) PipeName(id uint64, peer bool, path []byte) int {
	return int(C.br_pipe_name(l.c, C.uint64_t(id), flag(peer), unsafe.Pointer(unsafe.SliceData(path)), C.uint(len(path))))
}
