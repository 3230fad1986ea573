package asyncio

// The memory of stream readers. A readBuffer is one piece of memory, so that separators
// are found by a plain search. It moves bytes only when at least as many have been
// consumed, and it holds no memory while it is empty: the pool of the loop does.

import (
	"slices"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// bufferSizes are the sizes that a pool keeps. Memory beyond the last comes from and goes
// to the garbage collector.
var bufferSizes = [...]int{4 << 10, 16 << 10, 64 << 10, 256 << 10}

// bufferKeepBytes bounds what a pool keeps of each size.
const bufferKeepBytes = 1 << 20

// bufferPool is the idle buffers of a loop, by size.
type bufferPool [len(bufferSizes)][][]byte

// streamsOfLoop is what the streams of a loop share: a feature of the loop.
type streamsOfLoop struct {
	loop    *Loop
	buffers bufferPool
}

func streamsOf(l *Loop) *streamsOfLoop {
	s := featureOf[streamsOfLoop](l)
	s.loop = l
	return s
}

func (s *streamsOfLoop) loopClosed(*Loop) { s.buffers = bufferPool{} }

// get returns an empty buffer with room for at least n bytes.
func (p *bufferPool) get(n int) []byte {
	for i, size := range bufferSizes {
		if n > size {
			continue
		}
		if last := len(p[i]) - 1; last >= 0 {
			b := p[i][last]
			p[i][last] = nil
			p[i] = p[i][:last]
			return b
		}
		return make([]byte, 0, size)
	}
	return make([]byte, 0, 2*n)
}

// put takes a buffer back.
func (p *bufferPool) put(b []byte) {
	for i, size := range bufferSizes {
		if cap(b) == size && len(p[i]) < bufferKeepBytes/size {
			p[i] = append(p[i], b[:0])
			return
		}
	}
}

// readBuffer holds the bytes data[off:]. The zero value is empty.
type readBuffer struct {
	data []byte
	off  int
}

func (b *readBuffer) len() int      { return len(b.data) - b.off }
func (b *readBuffer) bytes() []byte { return b.data[b.off:] }

// write appends s.
func (b *readBuffer) write(p *bufferPool, s []byte) {
	if len(s) > cap(b.data)-len(b.data) {
		b.makeRoom(p, len(s))
	}
	b.data = append(b.data, s...)
}

// fill appends what src has, n bytes at the most.
func (b *readBuffer) fill(p *bufferPool, src proactor.Source, n int) int {
	if n > cap(b.data)-len(b.data) {
		b.makeRoom(p, n)
	}
	end := len(b.data)
	n = src.Pull(b.data[end : end+n])
	b.data = b.data[:end+n]
	b.consume(p, 0) // which gives the memory back if there was nothing
	return n
}

// makeRoom makes n bytes free at the end: by moving what is left to the front, if the
// result fills half of the memory at most, and else in larger memory. So a byte is moved
// once for each one that is written, at the worst.
func (b *readBuffer) makeRoom(p *bufferPool, n int) {
	need := b.len() + n
	if 2*need <= cap(b.data) {
		b.data = b.data[:copy(b.data, b.bytes())]
	} else {
		larger := append(p.get(max(need, 2*b.len())), b.bytes()...)
		p.put(b.data)
		b.data = larger
	}
	b.off = 0
}

// unread puts s back in front.
func (b *readBuffer) unread(p *bufferPool, s []byte) {
	if len(s) > 0 {
		rest := slices.Clone(b.bytes())
		b.consume(p, len(rest))
		b.write(p, s)
		b.write(p, rest)
	}
}

// consume drops the first n bytes.
func (b *readBuffer) consume(p *bufferPool, n int) {
	b.off += n
	if b.off == len(b.data) {
		p.put(b.data)
		b.data, b.off = nil, 0
	}
}

// take removes the first n bytes and returns them in memory that is the caller's. If they
// are all there is, and fill half of the buffer's memory, that is the buffer's own.
func (b *readBuffer) take(p *bufferPool, n int) []byte {
	if n > 0 && n == b.len() && 2*n >= cap(b.data) {
		taken := b.data[b.off:len(b.data):len(b.data)]
		b.data, b.off = nil, 0
		return taken
	}
	taken := make([]byte, n)
	copy(taken, b.bytes())
	b.consume(p, n)
	return taken
}
