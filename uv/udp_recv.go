//go:build cgo

package uv

// Receiving datagrams. The bridge receives several, and one record brings them all: they
// lie in memory that both sides see. What a callback stops is kept, as bytes of a stream
// are, for the next RecvStart, and so is what lies behind a callback that panics.
//
// The memory is for a limited number. A socket that finds it full in a turn is received
// from when its record is dispatched: by then the callbacks have had what lies there.

import (
	"bytes"
	"net/netip"
	"syscall"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// turnDatagramsMax is how many datagrams of a socket a turn may bring. Behind a batch it
// looks for what has come while that was answered: the peer works meanwhile, and a turn
// less is a poll less. With 64 bytes from 10 peers an echo costs 2.7 us so, and 3.2
// without; in package net 3.6. A datagram that came alone is no batch: to look behind it
// would be a system call in vain for most.
const turnDatagramsMax = 64

// Datagram is one that was received.
type Datagram struct {
	Data    []byte // may be empty
	Addr    netip.AddrPort
	Partial bool // cut to RecvSize
}

// receiver is the receiving side of a UDP.
type receiver struct {
	recv       func(d Datagram, err error)
	recvUnix   func(d Datagram, from string, err error)
	receiving  bool // the user wants datagrams
	started    bool // and the bridge receives them
	lateQueued bool
	late       []lateDatagram
}

// lateDatagram was received before a RecvStop.
type lateDatagram struct {
	d    Datagram
	from string
	err  error
}

// RecvStart begins to receive, or goes on after RecvStop; uv_udp_recv_start. It binds if
// need be. cb is called with each datagram, whose bytes are valid until it returns, and
// with errors such as ECONNREFUSED, which do not end it. While the socket receives,
// another cb takes the place of the last one. The errors are ErrClosed, EINVAL without
// cb, and those of the system. What was kept is delivered first; if the system refuses
// only then, cb gets that error, and receiving has ended.
func (u *UDP) RecvStart(cb func(d Datagram, err error)) error {
	if err := u.mayRecv("UDP.RecvStart", cb == nil); err != nil {
		return err
	}
	u.recv, u.recvUnix = cb, nil
	return nil
}

func (u *UDP) mayRecv(method string, none bool) error {
	if err := u.check(method); err != nil {
		return err
	}
	if none {
		return u.fail("recv_start", int(EINVAL))
	}
	if err := u.bindAny("recv_start", syscall.AF_INET, false); err != nil {
		return err
	}
	if u.receiving {
		return nil
	}
	if len(u.late) > 0 { // no more is received before that is delivered, else it might grow
		u.queueLate()
	} else if err := u.startRecv(); err != nil {
		return err
	}
	u.receiving = true
	return nil
}

func (u *UDP) startRecv() error {
	if code := u.loop.b.RecvStart(u.id()); code != 0 {
		return u.fail("recv_start", code)
	}
	u.started = true
	u.loop.stirred()
	return nil
}

// RecvStop ends the calls of the callback at once; uv_udp_recv_stop. Datagrams that were
// received already are kept for the next RecvStart. Idempotent; the error is ErrClosed.
func (u *UDP) RecvStop() error {
	if err := u.check("UDP.RecvStop"); err != nil {
		return err
	}
	u.receiving = false
	if u.started {
		u.started = false
		u.loop.b.RecvStop(u.id())
	}
	return nil
}

// IsActive reports whether the socket receives or has something to send; uv_is_active.
func (u *UDP) IsActive() bool { return u.bridged.IsActive() || u.listens() }

// UsingRecvmmsg reports whether several datagrams are received by a system call;
// uv_udp_using_recvmmsg.
func (u *UDP) UsingRecvmmsg() bool {
	return u.check("UDP.UsingRecvmmsg") == nil && u.loop.b.UDPBatch(u.id())
}

func (u *UDP) listens() bool { return u.state == handleOpen && u.receiving }

// received brings n datagrams, from the first one on.
func (u *UDP) received(first, n, step int) {
	i := 0
	defer func() { // a callback may panic
		if i < n {
			u.keep(first+i*step, n-i, step)
		}
	}()
	for i < n && u.listens() && len(u.late) == 0 {
		d, b := u.loop.b.Datagram(first + i*step)
		i++
		u.loop.calls++
		u.deliver(u.datagram(d, b))
		if u.loop.checks {
			for i := range b { // makes a slice that the callback has kept visible as such
				b[i] = 0xDB
			}
		}
	}
}

func (u *UDP) datagram(d *cbridge.Datagram, b []byte) lateDatagram {
	x := lateDatagram{d: Datagram{Data: b, Partial: d.Partial != 0}}
	if u.family == syscall.AF_UNIX {
		x.from = unixName(d.Addr[:d.AddrLen])
	} else {
		x.d.Addr = parseSockaddr(d.Addr[:d.AddrLen])
	}
	return x
}

func (u *UDP) deliver(x lateDatagram) {
	if u.recvUnix != nil {
		u.recvUnix(x.d, x.from, x.err)
	} else {
		u.recv(x.d, x.err)
	}
}

// keep copies datagrams that nobody wants now.
func (u *UDP) keep(first, n, step int) {
	if u.state != handleOpen {
		return
	}
	for i := range n {
		x := u.datagram(u.loop.b.Datagram(first + i*step))
		x.d.Data = bytes.Clone(x.d.Data)
		u.late = append(u.late, x)
	}
	if u.receiving {
		u.queueLate()
	}
}

// again receives what has come while n datagrams were answered. The memory is one for
// all sockets of the loop, so none of them may have a record that still waits.
func (u *UDP) again(n int) {
	l := u.loop
	for all := n; n > 1 && all < turnDatagramsMax && l.cur == l.lim && u.listens() && len(u.late) == 0; all += n {
		u.sendGathered()
		var step int
		n, step = l.b.Recv(u.id())
		u.received(0, n, step)
	}
}

// pull receives from a socket that has found no room.
func (u *UDP) pull() {
	if u.listens() {
		n, step := u.loop.b.Recv(u.id())
		u.received(0, n, step)
	}
}

func (u *UDP) recvFailed(err error) {
	switch {
	case u.state != handleOpen:
	case u.receiving && len(u.late) == 0:
		u.loop.calls++
		u.deliver(lateDatagram{err: err})
	default:
		u.late = append(u.late, lateDatagram{err: err})
	}
}

func (u *UDP) queueLate() {
	if !u.lateQueued {
		u.lateQueued = true
		u.loop.later(u.deliverLate)
	}
}

// deliverLate delivers what was kept, as long as the socket receives, and then receives
// more.
func (u *UDP) deliverLate() {
	u.lateQueued = false
	defer func() { // a callback may panic
		if u.listens() && (len(u.late) > 0 || !u.started) {
			u.queueLate()
		}
	}()
	for u.listens() && len(u.late) > 0 {
		x := u.late[0]
		u.late = u.late[1:]
		if len(u.late) == 0 {
			u.late = nil
		}
		u.loop.calls++
		u.deliver(x)
	}
	if u.listens() && !u.started {
		if err := u.startRecv(); err != nil {
			u.receiving = false // nothing would come, and to try each turn would be too often
			u.loop.calls++
			u.deliver(lateDatagram{err: err})
		}
	}
}
