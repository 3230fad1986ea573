package asynchttp

// An exchange is one request and its answer.
//
// A plain head is parsed here, see head.go. For all others http.ReadRequest reads from a
// bufio.Reader that suspends the task, and so does its body. What that reader has read
// beyond the request goes back when the exchange ends.

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strings"
)

type exchange struct {
	c        *connection
	request  *http.Request
	reader   *bufio.Reader // nil: the head was plain
	src      headSource    // of reader
	body     requestBody
	response response
}

// headSource is what a bufio.Reader reads a request from.
type headSource struct {
	c      *connection
	ctx    context.Context
	left   int    // bytes that a head may still have; -1: the head is over
	record []byte // the head, and what was read beyond it
}

// Read implements io.Reader.
func (s *headSource) Read(p []byte) (int, error) {
	if s.left < 0 {
		return s.c.read(s.ctx, p)
	}
	if s.left == 0 {
		return 0, io.EOF
	}
	n, err := s.c.read(s.ctx, p[:min(len(p), s.left)])
	s.left -= n
	s.record = append(s.record, p[:n]...)
	return n, err
}

// newExchange reads the head of a request.
func (c *connection) newExchange(ctx context.Context) (*exchange, error) {
	x := &exchange{c: c}
	if head := c.head; head != "" {
		c.head = ""
		if x.request = parseHead(ctx, head); x.request == nil {
			c.putBack([]byte(head))
		}
	}
	if x.request == nil {
		if err := x.readHead(ctx); err != nil {
			x.end()
			return nil, err
		}
	}
	r := x.request
	r.RemoteAddr, r.TLS = c.remoteAddr(), c.tls
	c.afterPost = r.Method == http.MethodPost
	c.readBy = c.wholeBy
	c.writeBy = c.after(c.server.WriteTimeout)
	x.body.begin(ctx, x)
	x.response.begin(ctx, x)
	return x, nil
}

// readHead lets http.ReadRequest read a head, and checks what net/http's server checks
// besides.
func (x *exchange) readHead(ctx context.Context) error {
	c := x.c
	x.src = headSource{c: c, ctx: ctx, left: c.server.headBytesMax()}
	x.reader = newReader(&x.src)
	r, err := http.ReadRequest(x.reader)
	if err != nil {
		if x.src.left == 0 {
			return errHeadTooLarge
		}
		return err
	}
	if err := checkRequest(r, x.src.record); err != nil {
		return err
	}
	x.src.left, x.src.record = -1, nil
	*r = *r.WithContext(ctx)
	x.request = r
	return nil
}

// statusError is why a request is refused, and how.
type statusError struct {
	code int
	text string // behind the status
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%d %s: %s", e.code, http.StatusText(e.code), e.text)
}

func badRequest(text string) error { return &statusError{http.StatusBadRequest, text} }

var errHeadTooLarge = errors.New("asynchttp: the head of the request exceeds MaxHeaderBytes")

// checkRequest finds what http.ReadRequest accepts and a server does not. It takes Host
// out of the header, so that has to be read once more.
func checkRequest(r *http.Request, head []byte) error {
	upgrade := r.Method == "PRI" && len(r.Header) == 0 && r.URL.Path == "*" && r.Proto == "HTTP/2.0"
	if r.ProtoMajor != 1 && !(r.ProtoMajor == 2 && r.ProtoMinor == 0 && r.Method == "PRI" && r.RequestURI == "*") {
		return &statusError{http.StatusHTTPVersionNotSupported, "unsupported protocol version"}
	}
	hosts := hostsOf(head)
	if r.ProtoAtLeast(1, 1) && len(hosts) == 0 && !upgrade && r.Method != http.MethodConnect {
		return badRequest("missing required Host header")
	}
	for _, host := range hosts {
		if !all(host, inAnyHost) {
			return badRequest("malformed Host header")
		}
	}
	for key, values := range r.Header {
		if key == "" || !all(key, inToken) {
			return badRequest("invalid header name")
		}
		for _, value := range values {
			if !all(value, inValue) {
				return badRequest("invalid header value")
			}
		}
	}
	return nil
}

// hostsOf is the values of Host in a head that http.ReadRequest has accepted.
func hostsOf(head []byte) (hosts []string) {
	for rest := head; ; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 || len(rest) <= i+1 {
			return hosts
		}
		rest = rest[i+1:]
		if rest[0] == '\n' || rest[0] == '\r' {
			return hosts
		}
		if len(rest) < len(hostName) || !bytes.EqualFold(rest[:len(hostName)], []byte(hostName)) {
			continue
		}
		value, next, _ := bytes.Cut(rest[len(hostName):], []byte("\n"))
		if len(next) > 0 && (next[0] == ' ' || next[0] == '\t') {
			return foldedHosts(head)
		}
		hosts = append(hosts, strings.Trim(strings.TrimSuffix(string(value), "\r"), " \t"))
	}
}

const hostName = "host:"

// foldedHosts is hostsOf where a value has several lines.
func foldedHosts(head []byte) []string {
	r := textproto.NewReader(bufio.NewReader(bytes.NewReader(head)))
	if _, err := r.ReadLine(); err != nil {
		return nil
	}
	header, _ := r.ReadMIMEHeader() // it was accepted before
	return header["Host"]
}

// refuse answers a request that has no handler. Where the connection has failed, or the
// time is over, there is no answer.
func (c *connection) refuse(ctx context.Context, err error) {
	var status *statusError
	text := "400 Bad Request"
	switch {
	case err == errHeadTooLarge:
		text = "431 Request Header Fields Too Large"
	case isUnsupportedEncoding(err):
		c.refuseWith(ctx, "501 Not Implemented", "Unsupported transfer encoding")
		return
	case errors.As(err, &status):
		text = status.Error()
	case isReadError(err):
		return
	}
	c.refuseWith(ctx, text, text)
}

func (c *connection) refuseWith(ctx context.Context, status, body string) {
	answer := "HTTP/1.1 " + status + "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n" + body
	if c.send(ctx, []byte(answer)) == nil {
		c.enter(connLingering)
	}
}

// isUnsupportedEncoding reports whether err is http.ReadRequest's for a coding that it
// does not know, which has no name outside of net/http.
func isUnsupportedEncoding(err error) bool {
	return strings.HasPrefix(err.Error(), "unsupported transfer encoding") || strings.HasPrefix(err.Error(), "too many transfer encodings")
}

// isReadError reports whether err is that of the connection, or a cancellation.
func isReadError(err error) bool {
	failed, ok := err.(net.Error)
	_, lost := err.(*net.OpError)
	return err == io.EOF || ok && failed.Timeout() || lost || errors.Is(err, context.Canceled)
}

// answerOptions is net/http's answer to OPTIONS *, which asks about the server.
func answerOptions(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "0")
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, optionsBytesMax)) // nobody wants it
}

// optionsBytesMax is what is read of the body of such a request.
const optionsBytesMax = 4 << 10

// refusesExpectation answers a request that expects what nobody can give. It lets the
// body of one that expects 100-continue ask for it.
func (x *exchange) refusesExpectation() bool {
	r := x.request
	expects := r.Header.Get("Expect")
	switch {
	case expects == "":
		return false
	case hasToken(expects, "100-continue"):
		x.body.mayContinue = r.ProtoAtLeast(1, 1) && r.ContentLength != 0
		x.body.asked = x.body.mayContinue
		return false
	}
	x.response.Header().Set("Connection", "close")
	x.response.WriteHeader(http.StatusExpectationFailed)
	_ = x.response.finish() // the connection ends in any case
	return true
}

// reusable reports whether the connection can take another request.
func (x *exchange) reusable() bool {
	w := &x.response
	if w.closes {
		return false
	}
	if !w.isHEAD && w.length != -1 && bodyAllowed(w.status) && w.length != w.written {
		return false // too little was written
	}
	return !x.body.failed
}

// end gives back what the exchange has.
func (x *exchange) end() {
	x.response.release()
	x.body.done = true
	if x.request != nil && x.request.MultipartForm != nil {
		_ = x.request.MultipartForm.RemoveAll() // files that may be gone already
	}
	if x.reader != nil {
		x.returnUnread()
		freeReader(x.reader)
		x.reader = nil
	}
}

// returnUnread gives back what the reader has read beyond the request.
func (x *exchange) returnUnread() {
	if x.reader != nil && !x.c.lost {
		rest, _ := x.reader.Peek(x.reader.Buffered()) // they are there
		x.c.putBack(rest)
		_, _ = x.reader.Discard(len(rest))
	}
}

// hasToken reports whether a list of tokens has one, in whatever case.
func hasToken(list, token string) bool {
	for part := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
		if strings.EqualFold(part, token) {
			return true
		}
	}
	return false
}
