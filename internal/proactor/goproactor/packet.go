package goproactor

// The memory of datagrams: what a reader has received and the loop has still to hand
// over, and what the loop has still to send.

import (
	"sync"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/internal/proactor/system"
)

const (
	// inboxBytes holds the longest datagram of a Unix socket, and many of UDP's.
	inboxBytes = proactor.UnixDatagramMax + proactor.DatagramMax
	// inboxLen bounds what a reader receives before the loop hears of it.
	inboxLen = 64
	// outboxKeepBytes: more memory than that is given back once an outbox is empty.
	outboxKeepBytes = 64 << 10
)

var inboxBuffers = sync.Pool{New: func() any { return new([inboxBytes]byte) }}

// inbox is datagrams that were received together. The zero value is empty, and then holds
// no buffer.
type inbox struct {
	buf     *[inboxBytes]byte // nil: the datagrams are in small, or there is none
	small   []byte            // of getBuffer
	used    int               // bytes
	parts   []received
	given   int // parts that were handed over
	longest int // a datagram can be
}

// received is one datagram, or an error.
type received struct {
	begin, end int
	from       system.Peer
	err        error
}

// room is where the next datagram goes; nil if the inbox is full.
func (b *inbox) room() []byte {
	if b.buf == nil {
		b.buf = inboxBuffers.Get().(*[inboxBytes]byte)
	}
	if len(b.parts) == inboxLen || inboxBytes-b.used < b.longest {
		return nil
	}
	return b.buf[b.used:]
}

// add adds the datagram that is in the first n bytes of room.
func (b *inbox) add(n int, from system.Peer) {
	b.parts = append(b.parts, received{begin: b.used, end: b.used + n, from: from})
	b.used += n
}

func (b *inbox) addError(err error) { b.parts = append(b.parts, received{err: err}) }

// pack gives a buffer back that is nearly empty: many endpoints that wait for the loop
// would hold one each.
func (b *inbox) pack() {
	if b.buf == nil || b.used > smallBufferBytes {
		return
	}
	if b.used > 0 {
		b.small = append(getBuffer(b.used), b.buf[:b.used]...)
	}
	inboxBuffers.Put(b.buf)
	b.buf = nil
}

func (b *inbox) empty() bool { return b.given == len(b.parts) }

// next takes the first datagram out. The bytes stay until drop.
func (b *inbox) next() (p []byte, from system.Peer, err error) {
	r := &b.parts[b.given]
	b.given++
	p = b.small
	if b.buf != nil {
		p = b.buf[:]
	}
	return p[r.begin:r.end:r.end], r.from, r.err
}

// drop empties the inbox.
func (b *inbox) drop() {
	if b.buf != nil {
		inboxBuffers.Put(b.buf)
	}
	putBuffer(b.small)
	clear(b.parts)
	*b = inbox{parts: b.parts[:0], longest: b.longest}
}

// outbox is datagrams to send, in order. The zero value is empty.
type outbox struct {
	bytes []byte
	items []outgoing
	gone  int // items that were sent
}

type outgoing struct {
	begin, end int
	to         system.Peer
}

func (b *outbox) empty() bool { return b.gone == len(b.items) }

// add copies p to the end.
func (b *outbox) add(p []byte, to system.Peer) {
	begin := len(b.bytes)
	b.bytes = append(b.bytes, p...)
	b.items = append(b.items, outgoing{begin, begin + len(p), to})
}

// first is the next datagram to send.
func (b *outbox) first() ([]byte, system.Peer) {
	o := &b.items[b.gone]
	return b.bytes[o.begin:o.end], o.to
}

// drop removes the first.
func (b *outbox) drop() {
	b.gone++
	if !b.empty() {
		return
	}
	if cap(b.bytes) > outboxKeepBytes {
		*b = outbox{}
		return
	}
	b.bytes, b.items, b.gone = b.bytes[:0], b.items[:0], 0
}
