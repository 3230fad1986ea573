package asynchttp

// A client's connection, and the round trip that it is in. net/http writes the request
// and reads the answer, in the task of the request, over the wire.
//
//	idle    in the pool; a byte or an end from the server closes it
//	        -> busy    take
//	busy    a round trip, until the answer's body was read or closed
//	        -> idle    release, if nothing speaks against it
//	        -> ended   end; the connection is lost

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"time"

	"github.com/seed-a026a017/asyncio"
)

const (
	// answerHeadBytesMax bounds the heads of an answer.
	answerHeadBytesMax = 10 << 20
	// informationalMax is how many answers of status 1xx may come before the last one, if
	// no hook hears of them.
	informationalMax = 5
)

type clientConn struct {
	wire
	pool        *pool
	key         hostKey
	tls         *tls.ConnectionState
	buffered    *bufio.Reader // of the round trip
	ctx         context.Context
	headLeft    int           // bytes that the heads of the answer may still have; -1: they are over
	since       time.Duration // of its last use
	reused      bool
	answerBegun bool
	unsent      bool // not all of the request was sent
}

// ConnectionMade implements asyncio.Protocol.
func (c *clientConn) ConnectionMade(t asyncio.Transport) { c.transport = t }

// DataReceived implements asyncio.Protocol.
func (c *clientConn) DataReceived(data []byte) {
	if c.idle {
		c.end() // nobody has asked
		return
	}
	c.feed(data)
	wake(&c.writer) // which may have to stop
}

// EOFReceived implements asyncio.Protocol.
func (c *clientConn) EOFReceived() bool {
	c.eof = true
	if c.idle {
		c.end()
		return false
	}
	wake(&c.reader)
	wake(&c.writer)
	return true
}

// ConnectionLost implements asyncio.Protocol.
func (c *clientConn) ConnectionLost(err error) {
	c.ended(err)
	if c.idle {
		c.idle = false
		c.pool.remove(c)
	}
	c.pool.closed()
}

// overdue implements wireOwner.
func (c *clientConn) overdue() { c.end() }

// end drops the connection.
func (c *clientConn) end() {
	if c.idle {
		c.idle = false
		c.pool.remove(c)
	}
	c.freeReader()
	c.transport.Abort()
}

func (c *clientConn) freeReader() {
	if c.buffered != nil {
		freeReader(c.buffered)
		c.buffered = nil
	}
}

// release ends the round trip, and keeps the connection if it may be used again.
func (c *clientConn) release(keep bool) {
	trace := traceOf(c.ctx)
	keep = keep && c.buffered.Buffered() == 0 && len(c.unread()) == 0 && !c.eof && !c.lost
	c.freeReader()
	c.ctx = nil
	var err error
	if !keep || !c.pool.keep(c) {
		err = errNotKept
		c.end()
	}
	if trace.PutIdleConn != nil {
		trace.PutIdleConn(err)
	}
}

var errNotKept = errors.New("asynchttp: the connection is not kept")

// roundTrip sends r and reads the head of the answer.
func (c *clientConn) roundTrip(ctx context.Context, r *http.Request) (*http.Response, error) {
	c.ctx, c.answerBegun, c.unsent, c.headLeft = ctx, false, false, answerHeadBytesMax
	c.buffered = newReader((*answerSource)(c))
	gzipped := wantsGzip(r)
	answer, err := c.sendRequest(ctx, r, gzipped)
	if err != nil && len(c.unread()) == 0 { // else the server had something to say
		return nil, err
	}
	if answer == nil {
		if answer, err = c.readAnswer(ctx, r, false); err != nil {
			return nil, err
		}
	}
	c.headLeft = -1
	answer.TLS = c.tls
	c.attach(r, answer, gzipped)
	return answer, nil
}

// answerSource is what a bufio.Reader reads the answer from.
type answerSource clientConn

// Read implements io.Reader.
func (s *answerSource) Read(p []byte) (int, error) {
	if s.headLeft < 0 {
		return s.read(s.ctx, p)
	}
	if s.headLeft == 0 {
		return 0, fmt.Errorf("net/http: server response headers exceeded %d bytes; aborted", answerHeadBytesMax)
	}
	n, err := s.read(s.ctx, p[:min(len(p), s.headLeft)])
	s.headLeft -= n
	return n, err
}

// readAnswer reads heads until the last one; with beginning, until 100 Continue, which is
// nil.
func (c *clientConn) readAnswer(ctx context.Context, r *http.Request, beginning bool) (*http.Response, error) {
	trace := traceOf(ctx)
	for informational := 1; ; informational++ {
		if _, err := c.buffered.Peek(1); err != nil {
			if err == io.EOF {
				err = fmt.Errorf("asynchttp: the server closed the connection before it answered: %w", err)
			}
			return nil, err
		}
		if !c.answerBegun && trace.GotFirstResponseByte != nil {
			trace.GotFirstResponseByte()
		}
		c.answerBegun = true
		answer, err := http.ReadResponse(c.buffered, r)
		if err != nil {
			return nil, err
		}
		code := answer.StatusCode
		if code < 100 || code > 199 || code == http.StatusSwitchingProtocols {
			return answer, nil
		}
		if code == http.StatusContinue && trace.Got100Continue != nil {
			trace.Got100Continue()
		}
		if trace.Got1xxResponse != nil {
			if err := trace.Got1xxResponse(code, textproto.MIMEHeader(answer.Header)); err != nil {
				return nil, err
			}
		} else if informational > informationalMax {
			return nil, errors.New("net/http: too many 1xx informational responses")
		}
		if beginning && code == http.StatusContinue {
			return nil, nil
		}
	}
}

// attach gives the answer its body, or ends the round trip if there is none.
func (c *clientConn) attach(r *http.Request, answer *http.Response, gzipped bool) {
	keep := !answer.Close && !r.Close && !c.unsent
	switch {
	case answer.StatusCode == http.StatusSwitchingProtocols:
		rest, _ := c.buffered.Peek(c.buffered.Buffered()) // they are there
		c.putBack(rest)
		c.freeReader()
		answer.Body = newHijackedConn(&c.wire, c.ctx)
	case answer.Body == http.NoBody:
		c.release(keep)
	default:
		body := &answerBody{c: c, ctx: c.ctx, src: answer.Body, keep: keep}
		answer.Body = body
		if gzipped && isGzip(answer) {
			answer.Body = &gzipBody{body: body}
			answer.Header.Del("Content-Encoding")
			answer.Header.Del("Content-Length")
			answer.ContentLength = -1
			answer.Uncompressed = true
		}
	}
}
