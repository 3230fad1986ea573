package asynchttp

// The body of a request. Reading it suspends the handler's task while nothing has come.
// What a handler has not read is read and dropped before the answer begins, if it is not
// too much: many clients send all of a request before they read.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/seed-a026a017/asyncio"
)

// dropBytesMax is what is read of a body that nobody wants, so that the connection can be
// used again.
const dropBytesMax = 256 << 10

type requestBody struct {
	x           *exchange
	ctx         context.Context
	src         io.Reader // net/http's body; nil: the next left bytes of the connection
	left        int64     // bytes that are still to be read; -1: not known
	sawEOF      bool
	closed      bool
	done        bool // the handler has ended
	failed      bool // the rest was not read: what follows on the connection is no request
	mayContinue bool // the client waits for 100 Continue
	asked       bool // it has asked for that, and the handler has not read to the end
}

// begin makes the body of the exchange's request.
func (b *requestBody) begin(ctx context.Context, x *exchange) {
	r := x.request
	*b = requestBody{x: x, ctx: ctx, left: r.ContentLength}
	if x.reader != nil && r.Body != http.NoBody {
		b.src = r.Body
	}
	if b.src == nil && b.left <= 0 {
		b.sawEOF = true
		r.Body = http.NoBody
		return
	}
	r.Body = b
}

// own is nil in the task of the exchange.
func own(ctx context.Context, what string) error {
	if asyncio.CurrentTask(ctx) != nil {
		return nil
	}
	return fmt.Errorf("asynchttp: %w: %s was used outside of the task of its handler; pass on what other tasks and goroutines "+
		"need, and let them pass back what they have", asyncio.ErrNotCurrentTask, what)
}

// Read implements io.Reader.
// Suspends. Cancelled: nothing is consumed.
func (b *requestBody) Read(p []byte) (int, error) {
	if err := own(b.ctx, "the body of a request"); err != nil {
		return 0, err
	}
	if b.closed || b.done {
		return 0, http.ErrBodyReadAfterClose
	}
	if b.mayContinue {
		b.mayContinue = false
		if err := b.x.c.send(b.ctx, []byte("HTTP/1.1 100 Continue\r\n\r\n")); err != nil {
			return 0, err
		}
	}
	n, err := b.read(p)
	if err == io.EOF {
		b.asked = false
	}
	return n, err
}

func (b *requestBody) read(p []byte) (n int, err error) {
	switch {
	case b.sawEOF:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	case b.src != nil:
		n, err = b.src.Read(p)
	default:
		if n, err = b.x.c.read(b.ctx, p[:min(int64(len(p)), b.left)]); err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
	}
	if b.left > 0 {
		b.left -= int64(n)
	}
	switch {
	case err == nil && b.left == 0, err == io.EOF:
		b.sawEOF = true
		return n, io.EOF
	case err == io.ErrUnexpectedEOF && b.left > 0: // the answer need not say that the connection ends
		b.sawEOF = true
		b.x.c.clientGone()
	case errors.Is(err, asyncio.ErrCancelled):
	case err != nil:
		b.failed = true
		if b.x.c.eof {
			b.x.c.clientGone()
		}
	}
	return n, err
}

// Close implements io.Closer. It reads the rest, if that is not too much.
// Suspends. Cancelled: the connection will not be used again.
func (b *requestBody) Close() error {
	if b.closed || b.done {
		return nil
	}
	if err := own(b.ctx, "the body of a request"); err != nil {
		return err
	}
	b.closed = true
	r := b.x.request
	if b.sawEOF || b.failed || b.mayContinue || r.Close && b.left >= 0 {
		b.failed = b.failed || !b.sawEOF
		return nil
	}
	if tooMuch, err := b.drop(); tooMuch || err != nil {
		b.failed = true
		return err
	}
	return nil
}

// drop reads the rest, up to dropBytesMax.
func (b *requestBody) drop() (tooMuch bool, err error) {
	if b.left >= dropBytesMax {
		return true, nil
	}
	buf := newBlock()[:blockBytes]
	defer freeBlock(buf)
	for dropped := 0; dropped <= dropBytesMax; {
		n, err := b.read(buf)
		dropped += n
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}
