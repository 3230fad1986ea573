package asynchttp

// The answer to a request, as its handler writes it. A small one is gathered, head and
// body, and leaves by one write when the handler ends, with its Content-Length; what is
// more than gatherBytes begins to leave, in chunks if its length is not declared.
//
//	Write -> body  until gatherBytes: the beginning of the body, which shows its type
//	      -> out   the head, and what follows it, framed
//	      -> wire

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// gatherBytes is how much of a body is held back: what net/http holds back.
const gatherBytes = 2048

type response struct {
	x        *exchange
	ctx      context.Context
	header   http.Header // the handler's; nil: it has not asked for it
	final    http.Header // a copy as it was at WriteHeader; nil: none was needed
	trailers []string    // that the head has announced
	body     output      // not framed yet
	out      output      // framed, not sent yet
	length   int64       // Content-Length; -1: not declared
	written  int64       // bytes of the body that the handler has written
	status   int         // 0: WriteHeader was not called yet
	err      error       // of the connection

	isHEAD      bool
	headDone    bool // the head is in out, or sent
	chunked     bool
	closes      bool // the connection ends with the answer
	wantsClose  bool // the client wants that
	keeps10     bool // a client of HTTP/1.0 wants to keep it
	leavesBody  bool // too much of the request is unread
	fullDuplex  bool
	handlerDone bool
}

// begin makes the answer of the exchange.
func (w *response) begin(ctx context.Context, x *exchange) {
	r := x.request
	*w = response{x: x, ctx: ctx, length: -1, isHEAD: r.Method == http.MethodHead}
	w.wantsClose = r.Close || hasToken(r.Header.Get("Connection"), "close")
	if r.ProtoMajor == 1 && r.ProtoMinor == 0 {
		w.keeps10 = hasToken(r.Header.Get("Connection"), "keep-alive")
	}
}

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header {
	if w.status != 0 && !w.headDone && w.final == nil {
		w.final = http.Header{} // what is set from here on comes too late
	}
	if w.header == nil {
		w.header = make(http.Header)
	}
	return w.header
}

// usable is nil if the response may be written.
func (w *response) usable(method string) error {
	err := own(w.ctx, "a ResponseWriter")
	if err == nil && w.handlerDone {
		err = fmt.Errorf("asynchttp: %s after the handler has returned", method)
	}
	return err
}

// WriteHeader implements http.ResponseWriter.
// Suspends, for an informational answer. Cancelled: it may be lost.
func (w *response) WriteHeader(code int) {
	if err := w.usable("WriteHeader"); err != nil {
		w.log().Error("http: response.WriteHeader failed", "error", err)
		return
	}
	w.writeHeader(code)
}

func (w *response) writeHeader(code int) {
	if w.x.c.state == connHijacked {
		w.warnCaller("response.WriteHeader on hijacked connection")
		return
	}
	if w.status != 0 {
		w.warnCaller("superfluous response.WriteHeader call")
		return
	}
	if code < 100 || code > 999 {
		panic(fmt.Sprintf("invalid WriteHeader code %v", code))
	}
	if code < 101 || code > 199 {
		w.x.body.mayContinue = false
	}
	if code <= 199 && code != http.StatusSwitchingProtocols {
		w.statusLine(code)
		_ = w.header.WriteSubset(&w.out, lengthHeaders) // an output takes everything
		_, _ = w.out.WriteString("\r\n")
		_ = w.flushOut()
		return
	}
	w.status = code
	if w.header == nil {
		return
	}
	if !w.handlerDone {
		w.final = w.header.Clone() // what is changed from here on comes too late
	}
	if value := w.header.Get("Content-Length"); value != "" {
		n, err := strconv.ParseInt(value, 10, 64)
		if err == nil && n >= 0 {
			w.length = n
		} else {
			w.log().Error(fmt.Sprintf("http: invalid Content-Length of %q", value))
			w.header.Del("Content-Length")
			delete(w.final, "Content-Length")
		}
	}
}

// lengthHeaders are left out of answers without a body.
var lengthHeaders = map[string]bool{"Content-Length": true, "Transfer-Encoding": true}

// Write implements http.ResponseWriter.
// Suspends while the client does not read. Cancelled: the rest may be lost.
func (w *response) Write(p []byte) (int, error) { return write(w, p) }

// WriteString implements io.StringWriter.
// Suspends while the client does not read. Cancelled: the rest may be lost.
func (w *response) WriteString(s string) (int, error) { return write(w, s) }

func write[T []byte | string](w *response, p T) (int, error) {
	if err := w.usable("Write"); err != nil {
		return 0, err
	}
	if w.x.c.state == connHijacked {
		if len(p) > 0 {
			w.warnCaller("response.Write on hijacked connection")
		}
		return 0, http.ErrHijacked
	}
	w.x.body.mayContinue = false
	if w.status == 0 {
		w.writeHeader(http.StatusOK)
	}
	switch {
	case len(p) == 0:
		return 0, nil
	case !bodyAllowed(w.status):
		return 0, http.ErrBodyNotAllowed
	case w.err != nil:
		return 0, w.err
	}
	w.written += int64(len(p))
	if w.length != -1 && w.written > w.length {
		return 0, http.ErrContentLength
	}
	return gather(w, p)
}

// gather fills the beginning of the body, and emits what is more.
func gather[T []byte | string](w *response, p T) (n int, err error) {
	for len(p) > gatherBytes-len(w.body) {
		piece := p
		if room := gatherBytes - len(w.body); room < gatherBytes {
			piece = p[:room]
			w.body = append(grow(w.body, room), piece...)
			err = w.emitBody()
		} else {
			err = w.emit([]byte(piece))
		}
		if err != nil {
			return n, err
		}
		n, p = n+len(piece), p[len(piece):]
	}
	w.body = append(grow(w.body, len(p)), p...)
	return n + len(p), nil
}

// emitBody frames what was gathered.
func (w *response) emitBody() error {
	if len(w.body) == 0 {
		return nil
	}
	err := w.emit(w.body)
	w.body = w.body[:0]
	return err
}

// emit frames p, and sends if there is enough.
func (w *response) emit(p []byte) error {
	if !w.headDone {
		w.writeHead(p)
	}
	if w.isHEAD || len(p) == 0 {
		return w.err
	}
	if w.chunked {
		w.out = append(strconv.AppendInt(grow(w.out, 16), int64(len(p)), 16), "\r\n"...)
	}
	if len(p) > gatherBytes {
		return w.sendLarge(p)
	}
	w.out = append(grow(w.out, len(p)+2), p...)
	if w.chunked {
		w.out = append(w.out, "\r\n"...)
	}
	if len(w.out) >= blockBytes-gatherBytes && !w.handlerDone {
		return w.flushOut()
	}
	return w.err
}

var crlf = []byte("\r\n")

// sendLarge sends out and p, which is not copied.
func (w *response) sendLarge(p []byte) error {
	pieces := [3][]byte{w.out, p, crlf}
	n := 2
	if w.chunked {
		n = 3
	}
	w.note(w.x.c.send(w.ctx, pieces[:n]...))
	w.out = w.out[:0]
	return w.err
}

// flushOut sends what is framed.
func (w *response) flushOut() error {
	if len(w.out) > 0 {
		w.note(w.x.c.send(w.ctx, w.out))
		w.out = w.out[:0]
	}
	return w.err
}

// note keeps the first error.
func (w *response) note(err error) {
	if w.err == nil {
		w.err = err
	}
}

// Flush implements http.Flusher.
// Suspends while the client does not read. Cancelled: it may be lost.
func (w *response) Flush() { _ = w.FlushError() }

// FlushError is what http.ResponseController flushes by.
// Suspends while the client does not read. Cancelled: it may be lost.
func (w *response) FlushError() error {
	if err := w.usable("Flush"); err != nil {
		return err
	}
	if w.x.c.state == connHijacked {
		return http.ErrHijacked
	}
	if w.status == 0 {
		w.writeHeader(http.StatusOK)
	}
	if err := w.emitBody(); err != nil {
		return err
	}
	if !w.headDone {
		w.writeHead(nil)
	}
	return w.flushOut()
}

// SetReadDeadline is for http.ResponseController.
func (w *response) SetReadDeadline(t time.Time) error {
	if err := w.usable("SetReadDeadline"); err != nil {
		return err
	}
	w.x.c.setReadBy(w.x.c.clock(t))
	return nil
}

// SetWriteDeadline is for http.ResponseController.
func (w *response) SetWriteDeadline(t time.Time) error {
	if err := w.usable("SetWriteDeadline"); err != nil {
		return err
	}
	w.x.c.setWriteBy(w.x.c.clock(t))
	return nil
}

// EnableFullDuplex is for http.ResponseController: the request is not read to its end
// before the answer begins.
func (w *response) EnableFullDuplex() error {
	w.fullDuplex = true
	return nil
}

// finish sends what is left when the handler has returned.
func (w *response) finish() error {
	w.handlerDone = true
	if w.status == 0 {
		w.writeHeader(http.StatusOK)
	}
	if w.headDone {
		_ = w.emitBody()
	} else {
		_ = w.emit(w.body)
	}
	if w.chunked && !w.isHEAD {
		_, _ = w.out.WriteString("0\r\n")
		if t := w.finalTrailers(); t != nil {
			_ = t.Write(&w.out) // an output takes everything
		}
		_, _ = w.out.WriteString("\r\n")
	}
	_ = w.flushOut()
	if w.err == nil {
		_ = w.x.body.Close() // what that means for the connection is noted there
		w.leavesBody = w.leavesBody || w.x.body.failed
	}
	return w.err
}

// abandon ends the answer after a panic: what was framed is sent, and no more.
func (w *response) abandon() {
	w.handlerDone = true
	if len(w.out) > 0 && w.err == nil {
		_, _ = w.x.c.buffer(w.out) // the connection ends in any case
	}
}

// release gives memory back.
func (w *response) release() {
	w.handlerDone = true
	w.body.free()
	w.out.free()
}

// warnCaller logs a mistake of the handler's with the place of the call.
func (w *response) warnCaller(what string) {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "net/http.") && !strings.HasPrefix(f.Function, packagePath+".") || !more {
			w.log().Error(fmt.Sprintf("http: %s from %s (%s:%d)", what, f.Function, path.Base(f.File), f.Line))
			return
		}
	}
}

const packagePath = "github.com/seed-a026a017/asyncio/asynchttp"

// bodyAllowed reports whether an answer of that status has a body.
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
