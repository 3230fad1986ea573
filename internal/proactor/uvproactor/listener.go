//go:build cgo

package uvproactor

import (
	"net"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/uv"
)

// listener implements proactor.Listener.
type listener struct {
	d    *driver
	s    *uv.Stream
	h    proactor.AcceptHandler
	addr net.Addr
}

func (l *listener) Start(h proactor.AcceptHandler) error {
	l.h = h
	return l.s.AcceptStart()
}

func (l *listener) Stop() { _ = l.s.AcceptStop() } // it fails on a closed listener only

func (l *listener) Addr() net.Addr { return l.addr }

func (l *listener) FD() int { return fd(l.s) }

func (l *listener) Close() { l.s.Close() }

func (l *listener) accepted(s *stream) {
	if l.d.closed {
		s.Close()
		return
	}
	l.h.Accepted(s)
}

func (l *listener) failed(err error) {
	if !l.d.closed {
		l.h.AcceptFailed(err)
	}
}
