package goproactor

// An endpoint of datagrams is a conn of package net. A goroutine receives behind a gate,
// as for a stream, several datagrams at a time. The loop sends itself, and leaves what
// the kernel does not take to a pendingSend: a goroutine that waits and sends.
//
// Invariants:
//   - inbox belongs to the reader while the gate is open or reading, to the loop from
//     pass until let.
//   - held is true if and only if the loop holds the gate, inbox is empty and no Received
//     runs; kept if it holds the gate with datagrams left: reading is stopped.
//   - While a pendingSend is under way only its goroutine sends.
//   - buffered counts the datagrams in outbox and those of the pendingSend that the loop
//     has not heard of.

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/internal/proactor/system"
)

// unixRetryDelay is how long a datagram to a full Unix socket waits before it is tried
// again. The kernel tells an endpoint that is not connected when the peer has taken one
// of the endpoint's own datagrams, not when it has taken somebody else's.
const unixRetryDelay = 2 * time.Millisecond

// gatherDatagramBytes: a datagram of so many bytes or more is tried at once. Below it a
// copy costs less than to give up sending all of a turn in a row.
const gatherDatagramBytes = 4 << 10

type datagram struct {
	system.Endpoint
	d    *driver
	conn system.PacketConn
	raw  syscall.RawConn
	fd   int
	h    proactor.DatagramHandler

	gate    gate
	inbox   inbox
	started bool // the reader runs
	reading bool // the handler wants to be called
	held    bool
	kept    bool

	outbox   outbox
	buffered int
	pending  *pendingSend
	dirty    bool // in driver.sends
	closed   bool
}

// Kinds of completion that an endpoint is itself, so that they cost no memory.
type (
	receivedEvent datagram // inbox has something
	goneEvent     datagram // the endpoint was closed
)

func (d *driver) OpenDatagram(local, remote net.Addr, opt proactor.DatagramOptions) (proactor.Datagram, error) {
	if d.closed {
		return nil, fmt.Errorf("datagrams: the proactor is closed: %w", net.ErrClosed)
	}
	conn, err := system.OpenDatagram(local, remote, opt)
	if err != nil {
		return nil, err
	}
	g := &datagram{Endpoint: system.EndpointOf(conn), d: d, conn: conn, fd: -1}
	g.raw, err = conn.SyscallConn()
	if err == nil {
		err = g.raw.Control(func(fd uintptr) { g.fd = int(fd) })
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	g.gate.bell = make(chan struct{}, 1)
	d.descriptors.add(g.fd)
	d.datagrams[g] = struct{}{}
	return g, nil
}

func (g *datagram) SetHandler(h proactor.DatagramHandler) { g.h = h }

func (g *datagram) ReadStart() {
	if g.reading || g.closed {
		return
	}
	g.reading = true
	switch {
	case !g.started:
		g.started = true
		g.d.goroutines.Add(1)
		go g.receiveAll()
	case g.kept:
		g.kept = false
		g.d.later((*receivedEvent)(g))
	case g.held:
		g.held = false
		g.gate.let()
	}
}

func (g *datagram) ReadStop() {
	if g.reading {
		g.reading = false
		g.held = g.gate.shut()
	}
}

// receiveAll is the reader.
func (g *datagram) receiveAll() {
	defer g.d.goroutines.Done()
	r := newReceiver(g)
	for {
		err := r.receive()
		if errors.Is(err, net.ErrClosed) {
			return // by Close, which waits for no result
		}
		if err != nil {
			g.inbox.addError(err)
		}
		g.inbox.pack()
		g.gate.pass()
		g.d.post((*receivedEvent)(g))
	}
}

func (e *receivedEvent) complete() {
	g := (*datagram)(e)
	switch {
	case g.closed:
		g.inbox.drop()
		return
	case !g.reading:
		g.kept = true
		return
	}
	defer g.handedOver() // also when a handler panics
	for g.reading && !g.closed && !g.inbox.empty() {
		b, from, err := g.inbox.next()
		if err != nil {
			g.h.Failed(g.Error("read", nil, err))
			continue
		}
		g.h.Received(b, g.sender(from))
	}
}

// sender is who has sent a datagram.
func (g *datagram) sender(from system.Peer) net.Addr {
	if g.Remote != nil {
		return g.Remote
	}
	return from.Addr()
}

// handedOver follows the calls of Received and Failed.
func (g *datagram) handedOver() {
	switch {
	case g.closed:
		g.inbox.drop()
	case g.inbox.empty():
		g.inbox.drop()
		if g.reading {
			g.gate.let()
		} else {
			g.held = true
		}
	case g.reading: // a handler has panicked
		g.d.later((*receivedEvent)(g))
	default:
		g.kept = true
	}
}

func (e *receivedEvent) discard() { (*datagram)(e).inbox.drop() }

func (g *datagram) SendTo(p []byte, addr net.Addr) {
	if g.closed {
		return
	}
	to, err := g.Peer(addr)
	if err != nil {
		g.fail(addr, err)
		return
	}
	if g.pending == nil && len(p) >= gatherDatagramBytes {
		g.flush()
		if g.pending == nil && g.send(p, to) {
			return
		}
	}
	g.outbox.add(p, to)
	g.buffered += len(p) + proactor.DatagramOverheadBytes
	if g.pending == nil && !g.dirty {
		g.dirty = true
		g.d.sends = append(g.d.sends, g)
	}
}

func (g *datagram) Flush()        { g.flush() }
func (g *datagram) Buffered() int { return g.buffered }

// send offers p to the kernel. It is false if the kernel has no room; an error is told,
// and is the end of the datagram.
func (g *datagram) send(p []byte, to system.Peer) bool {
	switch err := g.trySend(p, to); err {
	case nil:
	case syscall.EAGAIN:
		return false
	default:
		g.fail(to.Addr(), err)
	}
	return true
}

func (g *datagram) flush() {
	if g.closed || g.pending != nil {
		return
	}
	for !g.outbox.empty() {
		p, to := g.outbox.first()
		if !g.send(p, to) {
			g.launch()
			return
		}
		g.buffered -= len(p) + proactor.DatagramOverheadBytes
		g.outbox.drop()
	}
}

// pendingSend is one go at sending what the kernel did not take: the goroutine's share of
// it, and the completion.
type pendingSend struct {
	g      *datagram
	outbox outbox // the goroutine's

	mu     sync.Mutex
	sent   int         // under mu: bytes, as buffered counts them, that the loop has not heard of
	failed []sendError // under mu: likewise
	over   bool        // under mu: the goroutine ends
	posted bool        // under mu: s is in the driver's queue
}

type sendError struct {
	to  system.Peer
	err error
}

func (g *datagram) launch() {
	g.pending = &pendingSend{g: g, outbox: g.outbox}
	g.outbox = outbox{}
	g.d.goroutines.Add(1)
	go g.pending.run()
}

func (s *pendingSend) run() {
	defer s.g.d.goroutines.Done()
	for !s.outbox.empty() {
		p, to := s.outbox.first()
		err := s.g.waitSend(p, to)
		if errors.Is(err, net.ErrClosed) {
			return // by Close, which drops the rest
		}
		size := len(p) + proactor.DatagramOverheadBytes
		s.outbox.drop()
		s.report(size, sendError{to, err})
	}
}

// waitSend waits until the kernel takes p.
func (g *datagram) waitSend(p []byte, to system.Peer) (err error) {
	switch conn := g.conn.(type) {
	case *net.UDPConn:
		if g.Remote != nil {
			_, err = conn.Write(p)
		} else {
			_, err = conn.WriteToUDPAddrPort(p, to.AddrPort)
		}
	case *net.UnixConn:
		if g.Remote != nil {
			_, err = conn.Write(p)
			break
		}
		for addr := (&net.UnixAddr{Net: "unixgram", Name: to.Name}); ; {
			if err = conn.SetWriteDeadline(time.Now().Add(unixRetryDelay)); err != nil {
				break
			}
			if _, err = conn.WriteToUnix(p, addr); !os.IsTimeout(err) {
				break
			}
		}
	}
	return err
}

// report tells the loop of a datagram that is gone. Reports that the loop has not taken
// yet become one.
func (s *pendingSend) report(size int, e sendError) {
	s.mu.Lock()
	s.sent += size
	if e.err != nil {
		s.failed = append(s.failed, e)
	}
	s.over = s.outbox.empty()
	post := !s.posted
	s.posted = true
	s.mu.Unlock()
	if post {
		s.g.d.post(s)
	}
}

func (s *pendingSend) complete() {
	s.mu.Lock()
	sent, over, failed := s.sent, s.over, s.failed
	s.sent, s.posted, s.failed = 0, false, nil
	s.mu.Unlock()
	g := s.g
	if g.closed {
		return
	}
	g.buffered -= sent
	for _, e := range failed {
		g.fail(e.to.Addr(), e.err)
	}
	if over {
		g.pending = nil
		g.flush()
	}
	g.h.Drained()
}

func (s *pendingSend) discard() {}

// Close cannot report an error to anyone: the descriptor is gone in any case.
func (g *datagram) Close() {
	if g.closed {
		return
	}
	g.flush()
	_ = g.release()
	delete(g.d.datagrams, g)
	g.d.later((*goneEvent)(g))
}

func (g *datagram) LocalAddr() net.Addr  { return g.Local }
func (g *datagram) RemoteAddr() net.Addr { return g.Remote }
func (g *datagram) FD() int              { return g.fd }

// release frees the descriptor. The goroutines let go of it on their own, and conn.Close
// waits until they have.
func (g *datagram) release() error {
	g.closed = true
	g.d.descriptors.remove(g.fd)
	g.fd = -1
	g.gate.close()
	err := g.conn.Close()
	if g.kept {
		g.kept = false
		g.inbox.drop()
	}
	g.outbox, g.buffered, g.pending = outbox{}, 0, nil
	return err
}

func (e *goneEvent) complete() {
	if g := (*datagram)(e); g.h != nil {
		g.h.Closed()
	}
}

func (e *goneEvent) discard() {}

// sendFailed is the error of a datagram, for the next Poll.
type sendFailed struct {
	g   *datagram
	err error
}

func (g *datagram) fail(to net.Addr, err error) {
	g.d.later(&sendFailed{g, g.Error("write", to, err)})
}

func (f *sendFailed) complete() {
	if !f.g.closed {
		f.g.h.Failed(f.err)
	}
}

func (f *sendFailed) discard() {}
