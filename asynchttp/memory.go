package asynchttp

// The memory of connections. What is read and what is about to be written lies in blocks,
// which go back to their pool as soon as nothing is in them.

import (
	"bufio"
	"io"
	"sync"
)

// blockBytes is the size of a block: what net/http's buffers have.
const blockBytes = 4 << 10

var blocks = sync.Pool{New: func() any { return new([blockBytes]byte) }}

// newBlock is an empty block.
func newBlock() []byte { return blocks.Get().(*[blockBytes]byte)[:0] }

// freeBlock takes b back if it is a block, and not memory that has outgrown one.
func freeBlock(b []byte) {
	if cap(b) == blockBytes {
		blocks.Put((*[blockBytes]byte)(b[:blockBytes]))
	}
}

// grow returns memory for n more bytes behind b, which goes back.
func grow(b []byte, n int) []byte {
	if len(b)+n <= cap(b) {
		return b
	}
	if b == nil && n <= blockBytes {
		return newBlock()
	}
	larger := append(make([]byte, 0, max(2*len(b), len(b)+n)), b...)
	freeBlock(b)
	return larger
}

// output is a block that is written to.
type output []byte

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	*o = append(grow(*o, len(p)), p...)
	return len(p), nil
}

// WriteString implements io.StringWriter.
func (o *output) WriteString(s string) (int, error) {
	*o = append(grow(*o, len(s)), s...)
	return len(s), nil
}

// free gives the memory back.
func (o *output) free() {
	freeBlock(*o)
	*o = nil
}

var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, blockBytes) }}

func newReader(src io.Reader) *bufio.Reader {
	r := readers.Get().(*bufio.Reader)
	r.Reset(src)
	return r
}

func freeReader(r *bufio.Reader) {
	r.Reset(nil)
	readers.Put(r)
}
