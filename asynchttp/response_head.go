package asynchttp

// The head of an answer: what the handler has set, and what follows from the request, the
// status and the beginning of the body. The rules are those of net/http's server.

import (
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// headLines is what the head gets beside, or instead of, what the handler has set.
type headLines struct {
	without       map[string]bool // of the handler's
	contentType   string
	contentLength int64 // -1: none
	connection    string
	chunked       bool
}

func (l *headLines) drop(key string) {
	if l.without == nil {
		l.without = make(map[string]bool)
	}
	l.without[key] = true
}

// first is the first value of a key that is spelled as usual.
func first(h http.Header, key string) string {
	if values := h[key]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// writeHead puts the head into out. p is the beginning of the body, or all of it if the
// handler has returned.
func (w *response) writeHead(p []byte) {
	w.headDone = true
	header := w.final
	if header == nil && w.handlerDone {
		header = w.header
	}
	lines := headLines{contentLength: -1}
	trailers := w.announceTrailers(header, &lines)
	encoding := first(header, "Transfer-Encoding")
	if w.handlerDone && !trailers && encoding == "" && bodyAllowed(w.status) && header["Content-Length"] == nil && (!w.isHEAD || len(p) > 0) {
		w.length = int64(len(p))
		lines.contentLength = w.length
	}
	w.decideConnection(header, &lines)
	w.dropRequest(&lines)
	w.describeBody(header, &lines, encoding, p)
	w.decideFraming(header, &lines, encoding)
	if w.closes && (w.x.c.server.closing || !hasToken(first(header, "Connection"), "close")) && !switchesProtocol(w.status, header) {
		lines.drop("Connection")
		if w.x.request.ProtoAtLeast(1, 1) {
			lines.connection = "close"
		}
	}
	w.statusLine(w.status)
	_ = header.WriteSubset(&w.out, lines.without) // an output takes everything
	w.writeLines(header, &lines)
}

// announceTrailers notes the trailers that the head announces, and reports whether there
// will be any.
func (w *response) announceTrailers(header http.Header, lines *headLines) (announced bool) {
	for key := range header {
		if strings.HasPrefix(key, http.TrailerPrefix) {
			lines.drop(key)
			announced = true
		}
	}
	for _, list := range header["Trailer"] {
		announced = true
		for key := range strings.SplitSeq(list, ",") {
			if key = http.CanonicalHeaderKey(textproto.TrimString(key)); key != "" && mayTrail(key) {
				w.trailers = append(w.trailers, key)
			}
		}
	}
	return announced
}

// decideConnection says whether the connection ends with the answer.
func (w *response) decideConnection(header http.Header, lines *headLines) {
	connection := first(header, "Connection")
	r := w.x.request
	hasLength := w.length != -1
	closing := w.x.c.server.closing
	switch {
	case w.keeps10 && (w.isHEAD || hasLength || !bodyAllowed(w.status)):
		if header["Connection"] == nil {
			lines.connection = "keep-alive"
		}
	case !r.ProtoAtLeast(1, 1) || w.wantsClose:
		w.closes = true
	}
	if connection == "close" || closing || w.x.body.asked {
		w.closes = true
	}
}

// dropRequest reads what the handler has left of the request. Too much of it ends the
// connection.
func (w *response) dropRequest(lines *headLines) {
	b := &w.x.body
	if w.x.request.ContentLength == 0 || w.closes || w.fullDuplex {
		return
	}
	if b.closed || b.failed {
		w.closes = !b.sawEOF
		return
	}
	tooMuch, err := b.drop()
	switch {
	case tooMuch:
		w.closes, w.leavesBody = true, true
		lines.drop("Connection")
		lines.connection = "close"
	case err != nil:
		w.closes = true
	}
}

// describeBody finds out the body's type, if nobody has said it.
func (w *response) describeBody(header http.Header, lines *headLines, encoding string, p []byte) {
	if !bodyAllowed(w.status) {
		lines.drop("Content-Length")
		lines.drop("Transfer-Encoding")
		if w.status == http.StatusNotModified {
			lines.drop("Content-Type")
		}
		return
	}
	_, typed := header["Content-Type"]
	if !typed && encoding == "" && len(p) > 0 && header.Get("Content-Encoding") == "" {
		lines.contentType = http.DetectContentType(p)
	}
}

// decideFraming says how the end of the body shows.
func (w *response) decideFraming(header http.Header, lines *headLines, encoding string) {
	hasLength := w.length != -1
	if hasLength && encoding != "" && encoding != "identity" {
		w.log().Error("http: WriteHeader called with both Transfer-Encoding and Content-Length", "encoding", encoding, "length", w.length)
		lines.drop("Content-Length")
		hasLength = false
	}
	switch {
	case w.isHEAD || !bodyAllowed(w.status) || hasLength:
		lines.drop("Transfer-Encoding")
	case !w.x.request.ProtoAtLeast(1, 1) || encoding == "identity":
		w.closes = true // which shows the end
		lines.drop("Transfer-Encoding")
	default:
		w.chunked, lines.chunked = true, true
		if encoding == "chunked" {
			lines.drop("Transfer-Encoding")
		}
		lines.drop("Content-Length")
	}
}

// statusLine puts the first line into out.
func (w *response) statusLine(code int) {
	proto := "HTTP/1.1 "
	if !w.x.request.ProtoAtLeast(1, 1) {
		proto = "HTTP/1.0 "
	}
	w.out = append(grow(w.out, 64), proto...)
	w.out = strconv.AppendInt(w.out, int64(code), 10)
	if text := http.StatusText(code); text != "" {
		w.out = append(append(w.out, ' '), text...)
	} else {
		w.out = strconv.AppendInt(append(w.out, " status code "...), int64(code), 10)
	}
	w.out = append(w.out, crlf...)
}

// writeLines puts the rest of the head into out.
func (w *response) writeLines(header http.Header, lines *headLines) {
	out := grow(w.out, 256)
	if header["Date"] == nil {
		out = append(append(append(out, "Date: "...), w.x.c.server.date()...), crlf...)
	}
	if lines.contentLength >= 0 {
		out = append(strconv.AppendInt(append(out, "Content-Length: "...), lines.contentLength, 10), crlf...)
	}
	if lines.contentType != "" {
		out = append(append(append(out, "Content-Type: "...), lines.contentType...), crlf...)
	}
	if lines.connection != "" {
		out = append(append(append(out, "Connection: "...), lines.connection...), crlf...)
	}
	if lines.chunked {
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
	}
	w.out = append(out, crlf...)
}

// switchesProtocol reports whether the answer gives the connection another protocol.
func switchesProtocol(status int, header http.Header) bool {
	if status != http.StatusSwitchingProtocols || header.Get("Upgrade") == "" {
		return false
	}
	for _, value := range header["Connection"] {
		if hasToken(value, "upgrade") {
			return true
		}
	}
	return false
}

// finalTrailers is what follows the last chunk; nil: nothing.
func (w *response) finalTrailers() http.Header {
	var t http.Header
	add := func(key string, values []string) {
		if t == nil {
			t = make(http.Header)
		}
		t[key] = append(t[key], values...)
	}
	for key, values := range w.header {
		if name, ok := strings.CutPrefix(key, http.TrailerPrefix); ok {
			add(name, values)
		}
	}
	for _, key := range w.trailers {
		if values := w.header[key]; len(values) > 0 {
			add(key, values)
		}
	}
	return t
}

// neverTrails are the headers that RFC 9110, 6.5.1, keeps out of trailers.
var neverTrails = map[string]bool{
	"Authorization": true, "Cache-Control": true, "Connection": true, "Content-Encoding": true, "Content-Length": true,
	"Content-Range": true, "Content-Type": true, "Expect": true, "Host": true, "Keep-Alive": true, "Max-Forwards": true,
	"Pragma": true, "Proxy-Authenticate": true, "Proxy-Authorization": true, "Proxy-Connection": true, "Range": true,
	"Realm": true, "Te": true, "Trailer": true, "Transfer-Encoding": true, "Www-Authenticate": true,
}

// mayTrail reports whether a header may be a trailer.
func mayTrail(key string) bool { return !strings.HasPrefix(key, "If-") && !neverTrails[key] }

// dateCache is the time of day as a header's value, made once a second.
type dateCache struct {
	second int64
	text   []byte
}

func (d *dateCache) at(now time.Time) []byte {
	if s := now.Unix(); s != d.second || d.text == nil {
		d.second = s
		d.text = now.UTC().AppendFormat(d.text[:0], http.TimeFormat)
	}
	return d.text
}
