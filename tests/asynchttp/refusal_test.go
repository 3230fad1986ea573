package asynchttp_test

// The same bytes to asynchttp's server and to net/http's: the same answers.

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynchttp"
)

// tell answers with all that a handler sees of a request.
func tell(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %.60s %s %q close=%v length=%d te=%v body=%q err=%v\n",
		r.Method, r.RequestURI, r.Proto, r.Host, r.Close, r.ContentLength, r.TransferEncoding, body, err)
	fmt.Fprintf(w, "url %.200s\n", fmt.Sprintf("%+v", *r.URL))
	for _, header := range []http.Header{r.Header, r.Trailer} {
		keys := make([]string, 0, len(header))
		for key := range header {
			keys = append(keys, key)
		}
		sort.Strings(keys)
		for _, key := range keys {
			text := fmt.Sprintf("%q", header[key])
			fmt.Fprintf(w, "%s: %d %.60s\n", key, len(text), text)
		}
	}
}

// netServer is net/http's server with the same handler.
func netServer(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

const (
	hostLine  = "Host: test\r\n"
	chunkedTE = "Transfer-Encoding: chunked\r\n"
)

// odd are requests that are malformed, smuggled, or unusual.
var odd = map[string]string{
	"a plain request":                      get("/"),
	"two requests":                         get("/a") + get("/b"),
	"bare newlines":                        "GET / HTTP/1.1\nHost: test\n\n",
	"mixed newlines":                       "GET / HTTP/1.1\nHost: test\r\nA: b\n\r\n",
	"a query":                              get("/a?b=c&d=%20"),
	"an empty query":                       get("/a?"),
	"an escaped path":                      get("/a%2fb%20c"),
	"a bad escape":                         get("/a%zz"),
	"a path without a slash":               "GET a HTTP/1.1\r\n" + hostLine + "\r\n",
	"an absolute target":                   "GET http://other/x HTTP/1.1\r\n" + hostLine + "\r\n",
	"an asterisk":                          "OPTIONS * HTTP/1.1\r\n" + hostLine + "\r\n",
	"two slashes":                          get("//a//b"),
	"a fragment":                           get("/a#b"),
	"a path with UTF-8":                    get("/\u00e9"),
	"CONNECT":                              "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
	"CONNECT without a host":               "CONNECT a:1 HTTP/1.1\r\n\r\n",
	"an unknown method":                    "FROB / HTTP/1.1\r\n" + hostLine + "\r\n",
	"a lower-case method":                  "get / HTTP/1.1\r\n" + hostLine + "\r\n",
	"a bad method":                         "G(T / HTTP/1.1\r\n" + hostLine + "\r\n",
	"no method":                            " / HTTP/1.1\r\n" + hostLine + "\r\n",
	"no target":                            "GET  HTTP/1.1\r\n" + hostLine + "\r\n",
	"one word":                             "GARBAGE\r\n\r\n",
	"two words":                            "GET /\r\n\r\n",
	"four words":                           "GET / HTTP/1.1 x\r\n" + hostLine + "\r\n",
	"an empty line first":                  "\r\n" + get("/"),
	"nothing":                              "",
	"a newline":                            "\n",
	"three bytes":                          "GET",
	"half a line":                          "GET / HT",
	"half a head":                          "GET / HTTP/1.1\r\nHost: te",
	"a head without its empty line":        "GET / HTTP/1.1\r\n" + hostLine,
	"three bytes after a request":          get("/") + "GET",
	"half a line after a request":          get("/") + "GET / HT",
	"binary":                               "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
	"a NUL in the target":                  "GET /\x00 HTTP/1.1\r\n" + hostLine + "\r\n",
	"a tab in the target":                  "GET /\t HTTP/1.1\r\n" + hostLine + "\r\n",
	"HTTP/1.0":                             "GET / HTTP/1.0\r\n\r\n",
	"HTTP/1.0 with a host":                 "GET / HTTP/1.0\r\n" + hostLine + "\r\n",
	"HTTP/1.0 that stays":                  "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
	"HTTP/1.0 in chunks":                   "POST / HTTP/1.0\r\n" + chunkedTE + "\r\n3\r\nabc\r\n0\r\n\r\n",
	"HTTP/1.2":                             "GET / HTTP/1.2\r\n" + hostLine + "\r\n",
	"HTTP/0.9":                             "GET / HTTP/0.9\r\n" + hostLine + "\r\n",
	"HTTP/2.0":                             "GET / HTTP/2.0\r\n" + hostLine + "\r\n",
	"HTTP/3.0":                             "GET / HTTP/3.0\r\n" + hostLine + "\r\n",
	"HTTP/1":                               "GET / HTTP/1\r\n" + hostLine + "\r\n",
	"HTTP/11.1":                            "GET / HTTP/11.1\r\n" + hostLine + "\r\n",
	"http/1.1":                             "GET / http/1.1\r\n" + hostLine + "\r\n",
	"another protocol":                     "GET / HTTQ/1.1\r\n" + hostLine + "\r\n",
	"the preface of HTTP/2":                "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"the preface with a header":            "PRI * HTTP/2.0\r\nA: b\r\n\r\nSM\r\n\r\n",
	"no host":                              "GET / HTTP/1.1\r\n\r\n",
	"an empty host":                        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
	"two hosts":                            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
	"one host twice":                       "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n",
	"a bad host":                           "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
	"a host with a slash":                  "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
	"a host with signs":                    "GET / HTTP/1.1\r\nHost: a!$&'()*+,;=~%b\r\n\r\n",
	"a host in brackets":                   "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
	"a host with UTF-8":                    "GET / HTTP/1.1\r\nHost: \u00e9\r\n\r\n",
	"an absolute target and a bad host":    "GET http://other/ HTTP/1.1\r\nHost: a b\r\n\r\n",
	"an absolute target and no host":       "GET http://other/ HTTP/1.1\r\n\r\n",
	"a name with a space":                  get("/", "A b: c"),
	"a name with a space at the end":       get("/", "A : c"),
	"a name with UTF-8":                    get("/", "\u00e9: c"),
	"a name with a NUL":                    get("/", "A\x00: c"),
	"an empty name":                        get("/", ": c"),
	"no colon":                             get("/", "Abc"),
	"a lower-case name":                    get("/", "x-abc: c"),
	"a name of signs":                      get("/", "!#$%&'*+-.^_`|~: c"),
	"a name of digits":                     get("/", "123: c"),
	"one name twice":                       get("/", "A: b", "A: c", "a: d"),
	"an empty value":                       get("/", "A:", "B: "),
	"spaces around a value":                get("/", "A: \t b c \t "),
	"a value with a tab":                   get("/", "A: b\tc"),
	"a value with a NUL":                   get("/", "A: b\x00c"),
	"a value with a DEL":                   get("/", "A: b\x7fc"),
	"a value with a bell":                  get("/", "A: b\ac"),
	"a value with UTF-8":                   get("/", "A: \u00e9"),
	"a value with a bare return":           get("/", "A: b\rc"),
	"a return before the end of a line":    get("/", "A: b\r"),
	"a bare return ends the head":          "GET / HTTP/1.1\r\n" + hostLine + "\r" + "\r\n",
	"a folded value":                       get("/", "A: b", " c", "\td"),
	"a folded length":                      "POST / HTTP/1.1\r\n" + hostLine + "Content-Length:\r\n 3\r\n\r\nabc",
	"a folded encoding":                    "POST / HTTP/1.1\r\n" + hostLine + "Transfer-Encoding:\r\n chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	"a folded first header":                "GET / HTTP/1.1\r\n Host: test\r\n\r\n",
	"a line of spaces":                     get("/", "   "),
	"pragma":                               get("/", "Pragma: no-cache"),
	"a body":                               post("3", "abc"),
	"a body and a request":                 post("3", "abc") + get("/b"),
	"a body and empty lines":               post("3", "abc") + "\r\n" + get("/b"),
	"a body and many empty lines":          post("3", "abc") + "\r\n\r\n\r\n" + get("/b"),
	"an empty line after GET":              get("/a") + "\r\n" + get("/b"),
	"a body that is too short":             post("5", "abc"),
	"a body of GET":                        "GET / HTTP/1.1\r\n" + hostLine + "Content-Length: 3\r\n\r\nabc" + get("/b"),
	"a length of zero":                     post("0", "") + get("/b"),
	"no length":                            "POST / HTTP/1.1\r\n" + hostLine + "\r\n" + get("/b"),
	"an empty length":                      post("", "abc"),
	"a negative length":                    post("-1", "abc"),
	"a length with a sign":                 post("+3", "abc"),
	"a length in hex":                      post("0x3", "abc"),
	"a length with an underscore":          post("1_0", "abcdefghij"),
	"a length with zeros":                  post("0003", "abc"),
	"a length with a space":                post("3 ", "abc"),
	"a length with a space inside":         post("1 0", "abc"),
	"a length with a comma":                post("3, 3", "abc"),
	"a huge length":                        post("9223372036854775807", "abc"),
	"a length that is too large":           post("9223372036854775808", "abc"),
	"the same length twice":                "POST / HTTP/1.1\r\n" + hostLine + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
	"two lengths":                          "POST / HTTP/1.1\r\n" + hostLine + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
	"a length and chunks":                  "POST / HTTP/1.1\r\n" + hostLine + "Content-Length: 3\r\n" + chunkedTE + "\r\n3\r\nabc\r\n0\r\n\r\n" + get("/b"),
	"chunks and a length":                  "POST / HTTP/1.1\r\n" + hostLine + chunkedTE + "Content-Length: 30\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + get("/b"),
	"chunks and a bad length":              "POST / HTTP/1.1\r\n" + hostLine + chunkedTE + "Content-Length: x\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	"chunks":                               chunks("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n") + get("/b"),
	"chunks with extensions":               chunks("3;a=b\r\nabc\r\n0\r\n\r\n"),
	"chunks with trailers":                 "POST / HTTP/1.1\r\n" + hostLine + chunkedTE + "Trailer: X-T\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n" + get("/b"),
	"a trailer that was not announced":     chunks("3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n") + get("/b"),
	"a trailer that may be none":           "POST / HTTP/1.1\r\n" + hostLine + chunkedTE + "Trailer: Content-Length\r\n\r\n0\r\n\r\n",
	"a bad trailer":                        chunks("3\r\nabc\r\n0\r\nX T: 1\r\n\r\n") + get("/b"),
	"a trailer without an end":             chunks("3\r\nabc\r\n0\r\nX-T: 1\r\n"),
	"a bad chunk size":                     chunks("x\r\nabc\r\n0\r\n\r\n") + get("/b"),
	"a chunk size with a sign":             chunks("+3\r\nabc\r\n0\r\n\r\n"),
	"a chunk size with 0x":                 chunks("0x3\r\nabc\r\n0\r\n\r\n"),
	"an empty chunk size":                  chunks("\r\nabc\r\n0\r\n\r\n"),
	"a chunk size that is too large":       chunks("fffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
	"a chunk size with a space":            chunks("3 \r\nabc\r\n0\r\n\r\n"),
	"a chunk that is too long":             chunks("2\r\nabc\r\n0\r\n\r\n"),
	"a chunk without its end":              chunks("3\r\nabc0\r\n\r\n"),
	"chunks with bare newlines":            chunks("3\nabc\n0\n\n"),
	"a chunk size with a bare return":      chunks("3\rabc\r\n0\r\n\r\n"),
	"chunks that end early":                chunks("3\r\nab"),
	"no last chunk":                        chunks("3\r\nabc\r\n"),
	"the encoding in capitals":             "POST / HTTP/1.1\r\n" + hostLine + "Transfer-Encoding: CHUNKED\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	"the encoding with a tab":              "POST / HTTP/1.1\r\n" + hostLine + "Transfer-Encoding:\tchunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	"the encoding with a vertical tab":     "POST / HTTP/1.1\r\n" + hostLine + "Transfer-Encoding: \x0bchunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	"another encoding":                     "POST / HTTP/1.1\r\n" + hostLine + "Transfer-Encoding: gzip\r\n\r\n",
	"two encodings in one line":            "POST / HTTP/1.1\r\n" + hostLine + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	"two encodings":                        "POST / HTTP/1.1\r\n" + hostLine + chunkedTE + chunkedTE + "\r\n0\r\n\r\n",
	"identity":                             "POST / HTTP/1.1\r\n" + hostLine + "Transfer-Encoding: identity\r\n\r\n",
	"an empty encoding":                    "POST / HTTP/1.1\r\n" + hostLine + "Transfer-Encoding:\r\n\r\n",
	"an encoding with a space in its name": "POST / HTTP/1.1\r\n" + hostLine + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
	"a quoted encoding":                    "POST / HTTP/1.1\r\n" + hostLine + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
	"close":                                get("/a", "Connection: close") + get("/b"),
	"close among others":                   get("/a", "Connection: x, Close") + get("/b"),
	"two connection headers":               get("/a", "Connection: x", "Connection: close") + get("/b"),
	"keep-alive":                           get("/a", "Connection: Keep-Alive") + get("/b"),
	"an upgrade":                           get("/a", "Connection: Upgrade", "Upgrade: websocket") + get("/b"),
	"100-continue":                         "POST / HTTP/1.1\r\n" + hostLine + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc" + get("/b"),
	"100-continue in chunks":               "POST / HTTP/1.1\r\n" + hostLine + "Expect: 100-Continue\r\n" + chunkedTE + "\r\n3\r\nabc\r\n0\r\n\r\n",
	"100-continue without a body":          get("/", "Expect: 100-continue") + get("/b"),
	"100-continue of HTTP/1.0":             "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
	"another expectation":                  get("/", "Expect: 200-ok") + get("/b"),
	"a long header":                        get("/", "A: "+strings.Repeat("b", 20<<10)) + get("/b"),
	"many headers":                         get("/", strings.Repeat("A: b\r\n", 3000)+"C: d"),
	"a long target":                        get("/" + strings.Repeat("a", 20<<10)),
}

func post(length, body string) string {
	return "POST / HTTP/1.1\r\n" + hostLine + "Content-Length: " + length + "\r\n\r\n" + body
}

func chunks(body string) string { return "POST / HTTP/1.1\r\n" + hostLine + chunkedTE + "\r\n" + body }

// netLimit is the server of net/http with a limit for heads.
func netLimit(t *testing.T, bytes int) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(tell))
	s.Config.MaxHeaderBytes = bytes
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestSameAnswers(t *testing.T) {
	theirs := netServer(t, tell)
	with(t, tell, func(t *testing.T, ctx context.Context, s *site) {
		for name, text := range odd {
			same(t, ctx, name, text, s.addr, theirs)
		}
	})
}

// Whether the bytes come at once or one by one makes no difference.
func TestSameAnswersByteByByte(t *testing.T) {
	theirs := netServer(t, tell)
	with(t, tell, func(t *testing.T, ctx context.Context, s *site) {
		for name, text := range odd {
			if len(text) > 300 {
				continue
			}
			want := ask(t, ctx, theirs, text)
			got := undated(outside(t, ctx, func() string { return drip(s.addr, text) }))
			assert.Equal(t, want, got, "%s, byte by byte: %q", name, text)
		}
	})
}

// drip is talk with a write for each byte.
func drip(addr, text string) string {
	return talkBy(addr, func(send func(string) bool) {
		for i := range len(text) {
			if !send(text[i : i+1]) {
				return
			}
		}
	})
}

func same(t *testing.T, ctx context.Context, name, text, ours, theirs string) {
	t.Helper()
	want, got := joined(ask(t, ctx, theirs, text)), joined(ask(t, ctx, ours, text))
	if want != got {
		assert.Failf(t, "the answers differ", "%s: %.300q\nnet/http %.1000q\nhere     %.1000q", name, text, want, got)
	}
}

func TestMaxHeaderBytes(t *testing.T) {
	const limit = 1000
	theirs := netLimit(t, limit)
	with(t, tell, func(t *testing.T, ctx context.Context, s *site) {
		for _, n := range []int{100, 1000, 4900, 5000, 5100, 6000, 20000} {
			same(t, ctx, fmt.Sprint(n), get("/", "A: "+strings.Repeat("b", n)), s.addr, theirs)
			same(t, ctx, fmt.Sprint(n, " in the target"), get("/"+strings.Repeat("b", n)), s.addr, theirs)
		}
		answer := ask(t, ctx, s.addr, get("/", "A: "+strings.Repeat("b", 20000)))
		assert.True(t, strings.HasPrefix(answer, "HTTP/1.1 431 "), answer)
	}, func(s *asynchttp.Server) { s.MaxHeaderBytes = limit })
}

func TestDefaultMaxHeaderBytes(t *testing.T) {
	with(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, len(r.Header.Get("A"))) }, func(t *testing.T, ctx context.Context, s *site) {
		const n = 1<<20 - 100
		answer := ask(t, ctx, s.addr, get("/", "A: "+strings.Repeat("b", n)))
		assert.True(t, strings.HasSuffix(answer, fmt.Sprint(n)), answer)
		answer = ask(t, ctx, s.addr, get("/", "A: "+strings.Repeat("b", 1<<20+8192)))
		assert.True(t, strings.HasPrefix(answer, "HTTP/1.1 431 "), answer)
	})
}

// A line that is refused is refused when it has come, whatever follows.
func TestRefusedAtOnce(t *testing.T) {
	with(t, tell, func(t *testing.T, ctx context.Context, s *site) {
		for _, text := range []string{"GARBAGE\r\n", "GET / HTTP/1.1\r\nbad\r\n\r", "GET / HTTP/1.1\r\nA: b\x00\r\nX"} {
			c := dial(t, s.addr)
			_, err := io.WriteString(c, text)
			require.NoError(t, err)
			first := outside(t, ctx, func() string {
				b := make([]byte, 12)
				_, _ = io.ReadFull(c, b)
				return string(b)
			})
			assert.Equal(t, "HTTP/1.1 400", first, "%q", text)
			require.NoError(t, c.Close())
		}
		require.NoError(t, asyncio.Sleep(ctx, 0))
	})
}
