package asynchttp

// The body of an answer. Its end gives the connection back; a Close before that ends it.

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/seed-a026a017/asyncio"
)

type answerBody struct {
	c      *clientConn
	ctx    context.Context
	src    io.Reader // net/http's body
	keep   bool      // the connection may be used again
	ended  bool      // the round trip has
	closed bool
	err    error // of the end
}

// Read implements io.Reader.
// Suspends. Cancelled: the connection is closed.
func (b *answerBody) Read(p []byte) (int, error) {
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	if b.ended {
		return 0, b.err
	}
	if err := own(b.ctx, "the body of an answer"); err != nil {
		return 0, err
	}
	n, err := b.src.Read(p)
	if err != nil {
		b.ended, b.err = true, err
		b.c.release(b.keep && err == io.EOF)
	}
	return n, err
}

// Close implements io.Closer. It may be called from any goroutine.
func (b *answerBody) Close() error {
	if b.closed {
		return nil
	}
	b.closed = true
	if b.ended {
		return nil
	}
	b.ended = true
	if own(b.ctx, "") == nil {
		b.c.release(false)
		return nil
	}
	_, err := b.c.loop.CallSoonThreadsafe(func() { b.c.release(false) })
	if errors.Is(err, asyncio.ErrLoopClosed) {
		err = nil // so is the connection
	}
	return err
}

// gzipBody unpacks an answer that the caller has not asked to be packed.
type gzipBody struct {
	body *answerBody
	zip  *gzip.Reader
	err  error
}

// Read implements io.Reader.
func (b *gzipBody) Read(p []byte) (int, error) {
	if b.body.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	if b.zip == nil && b.err == nil {
		b.zip, b.err = gzip.NewReader(b.body)
	}
	if b.err != nil {
		return 0, b.err
	}
	return b.zip.Read(p)
}

// Close implements io.Closer.
func (b *gzipBody) Close() error { return b.body.Close() }
