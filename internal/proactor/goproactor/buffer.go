package goproactor

// Buffers come in two sizes from two pools. A connection takes the small one until a read
// fills it, so ten thousand connections with a small request each hold 40 MiB for a
// moment, not 640.

import "sync"

const (
	smallBufferBytes = 4 << 10
	largeBufferBytes = 64 << 10
)

var (
	smallBuffers = sync.Pool{New: func() any { return new([smallBufferBytes]byte) }}
	largeBuffers = sync.Pool{New: func() any { return new([largeBufferBytes]byte) }}
)

// getBuffer returns a buffer that is empty and holds at least n bytes, or as many as the
// large size has.
func getBuffer(n int) []byte {
	if n <= smallBufferBytes {
		return smallBuffers.Get().(*[smallBufferBytes]byte)[:0]
	}
	return largeBuffers.Get().(*[largeBufferBytes]byte)[:0]
}

// putBuffer takes back what getBuffer gave, whatever its length is now. nil is no buffer.
func putBuffer(b []byte) {
	switch b = b[:cap(b)]; len(b) {
	case smallBufferBytes:
		smallBuffers.Put((*[smallBufferBytes]byte)(b))
	case largeBufferBytes:
		largeBuffers.Put((*[largeBufferBytes]byte)(b))
	}
}

// chunks is a queue of bytes in pooled buffers. The zero value is empty.
type chunks struct {
	bufs [][]byte
	off  int // bytes of bufs[0] that are gone already
}

func (c *chunks) empty() bool { return len(c.bufs) == 0 }

// add copies p to the end.
func (c *chunks) add(p []byte) {
	if last := len(c.bufs) - 1; last >= 0 {
		b := c.bufs[last]
		n := min(len(p), cap(b)-len(b))
		c.bufs[last] = append(b, p[:n]...)
		p = p[n:]
	}
	for len(p) > 0 {
		want := len(p)
		if len(c.bufs) > 0 {
			want = largeBufferBytes // the first one was too small already
		}
		b := getBuffer(want)
		n := min(len(p), cap(b))
		c.bufs = append(c.bufs, append(b, p[:n]...))
		p = p[n:]
	}
}

// appendTo appends at most limit pieces from the front to v, without taking them.
func (c *chunks) appendTo(v [][]byte, limit int) [][]byte {
	for i, b := range c.bufs[:min(limit, len(c.bufs))] {
		if i == 0 {
			b = b[c.off:]
		}
		v = append(v, b)
	}
	return v
}

// consume drops up to n bytes from the front and returns how many of n it did not have.
func (c *chunks) consume(n int) int {
	gone := 0
	for gone < len(c.bufs) && n >= len(c.bufs[gone])-c.off {
		n -= len(c.bufs[gone]) - c.off
		putBuffer(c.bufs[gone])
		c.off = 0
		gone++
	}
	if gone == len(c.bufs) {
		c.bufs = trim(c.bufs)
		return n
	}
	clear(c.bufs[:gone])
	c.bufs = c.bufs[gone:]
	c.off += n
	return 0
}

// drop gives every buffer back.
func (c *chunks) drop() {
	for _, b := range c.bufs {
		putBuffer(b)
	}
	c.bufs, c.off = nil, 0
}

// trim empties s. It keeps the memory of a short one for the next turn, and frees that of
// a long one.
func trim(s [][]byte) [][]byte {
	if cap(s) > 4 {
		return nil
	}
	clear(s)
	return s[:0]
}
