//go:build cgo

package uv

// Sending datagrams. Small ones are gathered: they are copied into the bridge's arena and
// leave together, all of a socket's by one system call, with the coming flush, or before
// anything else that is asked of the socket and that they might be subject to. Large ones
// are offered to the kernel at once from the caller's memory, behind what was gathered
// before them. What the kernel has no room for, the bridge copies and keeps.
//
// Datagrams leave in order, so the callback of one is due when it is no longer among
// those that are outstanding: gathered, while the socket's seq is that of the coming
// flush, and queued, which the bridge keeps. Both sides number them, from 0 on, so the
// failure of one is told by its number.

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// sendRetryDelay is how long a datagram waits for room where the kernel does not tell of
// it: in the queue of a Unix socket that has not connected to that of its reader.
const sendRetryDelay = time.Millisecond

// sender is the sending side of a UDP.
type sender struct {
	sends         uint64 // datagrams that were taken
	queued        int    // of those, the bridge keeps so many, and so many bytes
	queuedBytes   int
	seq           uint64 // the flush that the following belong to
	gathered      int    // datagrams in the coming flush, and bytes
	gatheredBytes int
	op            uint32 // index of this socket's operation in it
	settles       bool   // the UDP is in Loop.sending
	dones         []sendDone
	next          int           // index of the first of them that is due
	failed        []sendFailure // in order
	retry         *Timer        // runs while the oldest waits for room; nil before the first time
}

type sendDone struct {
	number uint64
	addr   netip.AddrPort
	f      func(error)
}

type sendFailure struct {
	number uint64
	code   int
}

// Send sends a datagram and takes no hold of p; uv_udp_send. It binds if need be. Small
// ones leave together at the next poll, large ones are offered to the kernel at once.
// done, which may be nil, is called once, in a later turn and in the order of the sends:
// with nil when the datagram has left, with its own error, such as EMSGSIZE, when it
// cannot, with ECANCELED when the socket was closed before. The errors are ErrClosed,
// EISCONN for an address if the socket is connected, EDESTADDRREQ without one if it is
// not, EINVAL for one of another family, and what the system says of a socket; then done
// is not called.
func (u *UDP) Send(p []byte, addr netip.AddrPort, done func(error)) error {
	if err := u.check("UDP.Send"); err != nil {
		return err
	}
	var buf [cbridge.AddrBytes]byte
	sa, err := u.destination("send", addr, &buf)
	if err != nil {
		return err
	}
	u.send(p, sa, addr, done)
	return nil
}

func (u *UDP) send(p, sa []byte, addr netip.AddrPort, done func(error)) {
	if len(p) >= writeDirectMin {
		u.direct(p, sa)
	} else {
		copy(u.gather(len(p), sa), p)
		u.gatherDone()
	}
	u.addDone(addr, done)
}

// SendV is Send of one datagram in several pieces.
func (u *UDP) SendV(bufs [][]byte, addr netip.AddrPort, done func(error)) error {
	if len(bufs) == 1 {
		return u.Send(bufs[0], addr, done)
	}
	if err := u.check("UDP.SendV"); err != nil {
		return err
	}
	var buf [cbridge.AddrBytes]byte
	sa, err := u.destination("send", addr, &buf)
	if err != nil {
		return err
	}
	n := 0
	for _, b := range bufs {
		n += len(b)
	}
	if n >= writeDirectMin {
		p := make([]byte, 0, n)
		for _, b := range bufs {
			p = append(p, b...)
		}
		u.direct(p, sa)
	} else {
		at := u.gather(n, sa)
		for _, b := range bufs {
			at = at[copy(at, b):]
		}
		u.gatherDone()
	}
	u.addDone(addr, done)
	return nil
}

// destination is the system's form of where a datagram goes, nil for the peer.
func (u *UDP) destination(op string, addr netip.AddrPort, buf *[cbridge.AddrBytes]byte) ([]byte, error) {
	none := addr == netip.AddrPort{}
	switch {
	case u.connected && none:
		return nil, nil
	case u.connected:
		return nil, u.addrResult(op, addr, int(EISCONN))
	case none:
		return nil, u.fail(op, int(EDESTADDRREQ))
	}
	sa, err := u.sockaddr(op, addr, buf)
	if err != nil {
		return nil, err
	}
	family := sockaddrFamily(sa)
	if err := u.bindAny(op, family, false); err != nil {
		return nil, err
	}
	if u.family != family {
		return nil, u.addrResult(op, addr, int(EINVAL))
	}
	return sa, nil
}

func pad(n uint32) uint32 { return (n + 7) &^ 7 }

const datagramHeadBytes = 8

// hasOp reports whether this socket has an operation in the coming flush.
func (u *UDP) hasOp() bool { return u.seq == u.loop.seq }

// gather makes room for a datagram of n bytes in the arena, as part of this socket's
// operation in the coming flush. gatherDone follows when the bytes are there.
func (u *UDP) gather(n int, sa []byte) []byte {
	l := u.loop
	size := datagramHeadBytes + pad(uint32(len(sa))) + pad(uint32(n))
	off := pad(l.arenaUsed)
	if off+size > cbridge.ArenaBytes || l.npieces == cbridge.PiecesMax || l.nops == cbridge.OpsMax && !u.hasOp() {
		l.flush()
		off = 0
	}
	at := l.putDatagram(off, n, sa)
	l.arenaUsed = off + size
	if u.hasOp() {
		l.extend(&l.ops[u.op], off, size)
	} else {
		u.op = l.nops
		l.ops[u.op] = cbridge.Op{Kind: cbridge.OpSend, Slot: u.slot, Gen: u.gen, Off: off, Len: size}
		l.nops++
		u.seq, u.gathered, u.gatheredBytes = l.seq, 0, 0
	}
	u.gathered++
	u.gatheredBytes += n
	return at
}

// putDatagram writes the head and the address of a datagram, and returns the place of its
// n bytes.
func (l *Loop) putDatagram(off uint32, n int, sa []byte) []byte {
	b := l.arena[off:]
	binary.NativeEndian.PutUint32(b, uint32(n))
	binary.NativeEndian.PutUint32(b[4:], uint32(len(sa)))
	copy(b[datagramHeadBytes:], sa)
	at := datagramHeadBytes + pad(uint32(len(sa)))
	return b[at : at+uint32(n)]
}

// gatherDone flushes a socket that has gathered as much as one system call takes, so that
// the peer can begin.
func (u *UDP) gatherDone() {
	u.sends++
	if u.gathered >= cbridge.SendBatch || u.gatheredBytes >= gatherBytesMax {
		u.sendGathered()
	}
}

// sendGathered offers the kernel what the socket has gathered.
func (u *UDP) sendGathered() {
	if !u.hasOp() {
		return
	}
	u.seq = 0
	l := u.loop
	from := l.b.NRec
	l.b.SendGathered(u.id(), int(u.op))
	l.absorbed(from)
	l.stirred()
}

// Flush offers the kernel now what Send has gathered. The error is ErrClosed.
func (u *UDP) Flush() error {
	if err := u.check("UDP.Flush"); err != nil {
		return err
	}
	u.sendGathered()
	return nil
}

// direct offers the kernel what the socket has gathered, and then p.
func (u *UDP) direct(p, sa []byte) {
	op := -1
	if u.hasOp() {
		op = int(u.op)
		u.seq = 0
	}
	u.sends++
	l := u.loop
	from := l.b.NRec
	l.b.Send(u.id(), op, p, sa)
	l.absorbed(from)
	l.stirred()
}

// outstanding is how many datagrams have neither left nor failed.
func (u *UDP) outstanding() int {
	if u.hasOp() {
		return u.queued + u.gathered
	}
	return u.queued
}

// SendQueueCount is the number of datagrams that the kernel has not taken;
// uv_udp_get_send_queue_count.
func (u *UDP) SendQueueCount() int {
	u.loop.use("UDP.SendQueueCount")
	return u.outstanding()
}

// SendQueueSize is the number of their bytes; uv_udp_get_send_queue_size.
func (u *UDP) SendQueueSize() int {
	u.loop.use("UDP.SendQueueSize")
	if u.hasOp() {
		return u.queuedBytes + u.gatheredBytes
	}
	return u.queuedBytes
}

// TrySend sends a datagram at once; uv_udp_try_send. It returns its length. The errors
// are those of Send, EAGAIN if the kernel has no room or others wait, and that of the
// datagram.
func (u *UDP) TrySend(p []byte, addr netip.AddrPort) (int, error) {
	if err := u.check("UDP.TrySend"); err != nil {
		return 0, err
	}
	var buf [cbridge.AddrBytes]byte
	sa, err := u.destination("try_send", addr, &buf)
	if err != nil {
		return 0, err
	}
	code := int(EAGAIN)
	if u.outstanding() == 0 {
		code = u.loop.b.TrySend(u.id(), p, sa)
	}
	if code != 0 {
		return 0, u.addrResult("try_send", addr, code)
	}
	return len(p), nil
}

// TrySendBatch sends datagrams at once, each to the address with its index, or to the
// peer of a connected socket if addrs is nil; uv_udp_try_send2. It stops at the first one
// that cannot leave, and returns how many have left. The error is that of the first one,
// if that has not left, and EINVAL unless there are as many addresses as datagrams.
func (u *UDP) TrySendBatch(ps [][]byte, addrs []netip.AddrPort) (sent int, err error) {
	if err := u.check("UDP.TrySendBatch"); err != nil {
		return 0, err
	}
	if addrs != nil && len(addrs) != len(ps) {
		return 0, u.fail("try_send", int(EINVAL))
	}
	for sent < len(ps) {
		n, err := u.trySome(ps[sent:], addrs, sent)
		if sent += n; err != nil && sent == 0 {
			return 0, err
		}
		if err != nil || n == 0 {
			break
		}
	}
	return sent, nil
}

// trySome sends datagrams from the front of ps, the first of which has the address with
// index at: one if it is large, else as many as the arena takes.
func (u *UDP) trySome(ps [][]byte, addrs []netip.AddrPort, at int) (int, error) {
	to := func(i int) (addr netip.AddrPort) {
		if addrs != nil {
			addr = addrs[at+i]
		}
		return addr
	}
	if len(ps[0]) >= writeDirectMin {
		_, err := u.TrySend(ps[0], to(0))
		return number(err == nil), err
	}
	l := u.loop
	if u.outstanding() > 0 {
		return 0, u.addrResult("try_send", to(0), int(EAGAIN))
	}
	if cbridge.ArenaBytes-l.arenaUsed < 2*writeDirectMin {
		l.flush()
	}
	start := pad(l.arenaUsed)
	off, n := start, 0
	var failed error
	for ; n < len(ps) && len(ps[n]) < writeDirectMin && off+2*writeDirectMin <= cbridge.ArenaBytes; n++ {
		var buf [cbridge.AddrBytes]byte
		sa, err := u.destination("try_send", to(n), &buf)
		if err != nil {
			failed = err
			break
		}
		copy(l.putDatagram(off, len(ps[n]), sa), ps[n])
		off += datagramHeadBytes + pad(uint32(len(sa))) + pad(uint32(len(ps[n])))
	}
	if n == 0 {
		return 0, failed
	}
	sent := l.b.TrySends(u.id(), start, n)
	if sent < 0 {
		return 0, u.addrResult("try_send", to(0), sent)
	}
	if sent < n {
		failed = u.addrResult("try_send", to(sent), int(EAGAIN))
	}
	return sent, failed
}

// addDone puts a callback behind the datagram that was just taken.
func (u *UDP) addDone(addr netip.AddrPort, f func(error)) {
	if f == nil {
		return
	}
	if u.next > len(u.dones)/2 && len(u.dones) == cap(u.dones) { // use the front again, before the queue grows
		n := copy(u.dones, u.dones[u.next:])
		clear(u.dones[n:])
		u.dones, u.next = u.dones[:n], 0
	}
	u.dones = append(u.dones, sendDone{u.sends - 1, addr, f})
	u.settleLater()
}

func (u *UDP) settleLater() {
	if !u.settles {
		u.settles = true
		u.loop.sending = append(u.loop.sending, u)
	}
}

// settleSends calls back for sends that the flush of this turn, or an earlier one, has
// finished.
func (l *Loop) settleSends() {
	all := l.sending
	for n := len(all); n > 0; n-- {
		u := l.sending[0]
		l.sending[0] = nil
		l.sending = l.sending[1:]
		u.settles = false
		u.settle()
	}
	if len(l.sending) == 0 {
		l.sending = all[:0] // the memory is for the next turn
	}
}

// settle calls back for the sends that are done. If one of the callbacks panics, the next
// turn goes on.
func (u *UDP) settle() {
	finished := false
	defer func() {
		if !finished && len(u.dones) > 0 {
			u.settleLater()
		}
	}()
	for u.next < len(u.dones) && u.dones[u.next].number < u.sends-uint64(u.outstanding()) {
		d := u.takeDone()
		u.loop.calls++
		d.f(u.outcome(d))
	}
	finished = true
}

// takeDone takes the first callback out of the queue.
func (u *UDP) takeDone() sendDone {
	d := u.dones[u.next]
	u.dones[u.next] = sendDone{}
	u.next++
	if u.next == len(u.dones) {
		u.dones, u.next = u.dones[:0], 0
	}
	return d
}

// outcome is what has become of a datagram that is no longer outstanding.
func (u *UDP) outcome(d sendDone) error {
	for len(u.failed) > 0 && u.failed[0].number < d.number {
		u.failed = u.failed[1:]
	}
	if len(u.failed) == 0 || u.failed[0].number > d.number {
		return nil
	}
	return u.sendError(d, u.failed[0].code)
}

func (u *UDP) sendError(d sendDone, code int) error {
	if !d.addr.IsValid() {
		return u.fail("send", code)
	}
	return u.addrResult("send", d.addr, code)
}

// sendFailed keeps the failure of a datagram for its callback, which may not be known
// yet if it is the last one. If no callback waits, the older ones have none.
func (u *UDP) sendFailed(number uint64, code int) {
	if len(u.dones) == 0 {
		u.failed = u.failed[:0]
	}
	u.failed = append(u.failed, sendFailure{number, code})
}

// sent tells that n datagrams have left or failed that the bridge had kept.
func (u *UDP) sent(n, size int) {
	u.queued -= n
	u.queuedBytes -= size
	u.settle()
}

// cancelSends ends what is outstanding, each by itself, so that a panic of one does not
// lose the others.
func (u *UDP) cancelSends() {
	for len(u.dones) > 0 {
		d := u.takeDone()
		err := u.sendError(d, int(ECANCELED))
		if d.number < u.sends-uint64(u.outstanding()) {
			err = u.outcome(d)
		}
		u.loop.later(func() { d.f(err) })
	}
	u.failed = nil
	u.queued, u.queuedBytes = 0, 0
}

// stuck tries again in a while.
func (u *UDP) stuck() {
	if u.state != handleOpen {
		return
	}
	if u.retry == nil {
		u.retry = &Timer{local: local{handle{loop: u.loop, kind: TimerHandle, unreferenced: true}}}
		u.retry.node.t = u.retry
	}
	u.setActive(true)
	u.retry.Start(sendRetryDelay, 0, func() {
		u.setActive(false)
		u.loop.submit(cbridge.OpSendAgain, u.slot, u.gen, 0)
	})
}

func (u *UDP) unstick() {
	u.setActive(false)
	if u.retry != nil {
		u.retry.disarm()
	}
}
