package asynchttp

// Sending a request: net/http writes it, and its body is read in the task of the request.
// The server may answer before all was sent.

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// continueTimeout is how long a request that expects 100-continue waits for it.
const continueTimeout = time.Second

// errAnswered ends the sending of a request that was answered.
var errAnswered = errors.New("asynchttp: the answer came before the request was sent")

var writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, blockBytes) }}

// sendRequest sends r. If it was answered before its body, that is returned.
func (c *clientConn) sendRequest(ctx context.Context, r *http.Request, gzipped bool) (*http.Response, error) {
	w := writers.Get().(*bufio.Writer)
	w.Reset(&requestSender{c, ctx})
	defer func() {
		w.Reset(nil)
		writers.Put(w)
	}()
	out := *r
	if gzipped {
		if out.Header = r.Header.Clone(); out.Header == nil {
			out.Header = make(http.Header)
		}
		out.Header.Set("Accept-Encoding", "gzip")
	}
	var body *outgoingBody
	if r.Body != nil && r.Body != http.NoBody {
		body = &outgoingBody{ReadCloser: r.Body, c: c, ctx: ctx, w: w, request: r}
		body.waits = hasToken(r.Header.Get("Expect"), "100-continue")
		out.Body = body
		if r.ContentLength <= 0 && len(r.TransferEncoding) == 0 {
			out.TransferEncoding = []string{"chunked"} // else net/http would look into the body from another goroutine
		}
	}
	err := out.Write(w)
	if err == nil {
		err = w.Flush()
	}
	if body != nil && body.answer != nil {
		c.unsent = true
		return body.answer, nil
	}
	if err != nil {
		c.unsent = true
		if body != nil && body.err != nil {
			return nil, body.err
		}
	}
	return nil, err
}

// requestSender is the wire for a bufio.Writer.
type requestSender struct {
	c   *clientConn
	ctx context.Context
}

// Write implements io.Writer. It waits while too much is on its way, unless the answer
// makes that useless.
func (s *requestSender) Write(p []byte) (int, error) {
	c := s.c
	if c.isAnswered() {
		return 0, errAnswered
	}
	n, err := c.buffer(p)
	for err == nil && c.full {
		if c.isAnswered() {
			return 0, errAnswered
		}
		if err = c.wait(s.ctx, &c.writer); c.lost {
			return 0, c.failure("write")
		}
	}
	return n, err
}

// isAnswered reports whether the rest of the request is of no use: the answer ends the
// exchange, or nothing moves until it is read.
func (c *clientConn) isAnswered() bool {
	b := c.unread()
	const digit = len("HTTP/1.1 ")
	if len(b) > digit && b[digit] != '1' && b[digit] != '2' {
		return true
	}
	return c.held && c.full || c.eof
}

// outgoingBody is the body of a request that is being sent.
type outgoingBody struct {
	io.ReadCloser
	c       *clientConn
	ctx     context.Context
	w       *bufio.Writer
	request *http.Request
	waits   bool           // for 100 Continue
	answer  *http.Response // that came instead
	err     error
}

// Read implements io.Reader.
func (b *outgoingBody) Read(p []byte) (int, error) {
	if b.waits {
		b.waits = false
		if err := b.awaitContinue(); err != nil {
			return 0, err
		}
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

// awaitContinue waits until the server wants the body, or says nothing.
func (b *outgoingBody) awaitContinue() error {
	if err := b.w.Flush(); err != nil {
		return err
	}
	c := b.c
	if trace := traceOf(b.ctx); trace.Wait100Continue != nil {
		trace.Wait100Continue()
	}
	c.setReadBy(c.after(continueTimeout))
	defer c.setReadBy(0)
	for len(c.unread()) == 0 && !c.eof && !c.lost {
		if c.isOver(c.readBy) {
			return nil
		}
		if err := c.wait(b.ctx, &c.reader); err != nil {
			return err
		}
	}
	c.setReadBy(0) // the head comes as a whole
	var err error
	if b.answer, err = c.readAnswer(b.ctx, b.request, true); err != nil {
		return err
	}
	if b.answer != nil {
		return errAnswered
	}
	return nil
}
