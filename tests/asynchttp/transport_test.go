package asynchttp_test

// The transport, with servers of net/http on other goroutines.

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynchttp"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// origin is a server of net/http that counts its connections.
type origin struct {
	*httptest.Server
	conns atomic.Int64
}

func newOrigin(t *testing.T, handler http.HandlerFunc) *origin {
	t.Helper()
	o := &origin{Server: httptest.NewUnstartedServer(handler)}
	o.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			o.conns.Add(1)
		}
	}
	o.Start()
	t.Cleanup(o.Close)
	return o
}

// withClient runs test with a transport, whose connections it closes.
func withClient(t *testing.T, test func(t *testing.T, ctx context.Context, tr *asynchttp.Transport)) {
	t.Helper()
	inTask(t, func(t *testing.T, ctx context.Context) {
		tr := &asynchttp.Transport{}
		test(t, ctx, tr)
		closeIdle(t, ctx, tr)
	})
}

// closeIdle closes the connections that are kept, and waits for their end.
func closeIdle(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
	t.Helper()
	tr.CloseIdleConnections()
	l := testkit.LoopOf(ctx)
	require.NoError(t, asynciotest.Until(ctx, func() bool { return l.Stats().Handles == 0 }))
}

// do sends a request and reads the answer.
func do(ctx context.Context, client *http.Client, method, target string, body io.Reader, change ...func(*http.Request)) (*http.Response, string, error) {
	r, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, "", err
	}
	for _, f := range change {
		f(r)
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer, string(text), err
}

func TestTransport(t *testing.T) {
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/redirect":
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
			http.Redirect(w, r, "/target", http.StatusFound)
		case "/large":
			_, _ = w.Write(bytes.Repeat([]byte("x"), 1<<20))
		case "/close":
			w.Header().Set("Connection", "close")
			_, _ = io.WriteString(w, "closing")
		case "/empty":
			w.WriteHeader(http.StatusNoContent)
		case "/hints":
			w.Header().Set("Link", "</style.css>")
			w.WriteHeader(http.StatusEarlyHints)
			_, _ = io.WriteString(w, "after hints")
		case "/many-hints":
			for range 8 {
				w.WriteHeader(http.StatusEarlyHints)
			}
		case "/trailer":
			w.Header().Set("Trailer", "X-T")
			_, _ = io.WriteString(w, "body")
			w.(http.Flusher).Flush()
			w.Header().Set("X-T", "end")
		case "/gzip":
			if r.Header.Get("Accept-Encoding") == "gzip" {
				w.Header().Set("Content-Encoding", "gzip")
				z := gzip.NewWriter(w)
				_, _ = io.WriteString(z, strings.Repeat("packed ", 1000))
				_ = z.Close()
			}
		default:
			fmt.Fprintf(w, "%s %s %q te=%v len=%d cookie=%q ua=%q", r.Method, r.URL, body, r.TransferEncoding, r.ContentLength, r.Header.Get("Cookie"), r.UserAgent())
		}
	})
	withClient(t, func(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
		client := &http.Client{Transport: tr}
		before := o.conns.Load()
		get := func(path string) (*http.Response, string) {
			answer, body, err := do(ctx, client, "GET", o.URL+path, nil)
			require.NoError(t, err, path)
			return answer, body
		}
		_, body := get("/a?b=c")
		assert.Equal(t, `GET /a?b=c "" te=[] len=0 cookie="" ua="Go-http-client/1.1"`, body)
		answer, body := get("/redirect")
		assert.Equal(t, "/target", answer.Request.URL.Path)
		assert.Contains(t, body, "GET /target")
		_, body = get("/large")
		assert.Len(t, body, 1<<20)
		answer, _ = get("/empty")
		assert.Equal(t, 204, answer.StatusCode)
		_, body = get("/hints")
		assert.Equal(t, "after hints", body)
		answer, body = get("/trailer")
		assert.Equal(t, "body", body)
		assert.Equal(t, "end", answer.Trailer.Get("X-T"))
		answer, body = get("/gzip")
		assert.Equal(t, strings.Repeat("packed ", 1000), body)
		assert.True(t, answer.Uncompressed)
		assert.Empty(t, answer.Header.Get("Content-Encoding"))
		answer, body, err := do(ctx, client, "HEAD", o.URL+"/large", nil)
		require.NoError(t, err)
		assert.Empty(t, body)
		assert.Equal(t, http.MethodHead, answer.Request.Method)
		_, body, err = do(ctx, client, "POST", o.URL+"/", strings.NewReader("hello"))
		require.NoError(t, err)
		assert.Contains(t, body, `POST / "hello" te=[] len=5`)
		_, body, err = do(ctx, client, "PUT", o.URL+"/", io.MultiReader(strings.NewReader("in "), strings.NewReader("chunks")))
		require.NoError(t, err)
		assert.Contains(t, body, `PUT / "in chunks" te=[chunked] len=-1`)
		_, body, err = do(ctx, client, "GET", o.URL+"/", io.MultiReader(strings.NewReader("x")))
		require.NoError(t, err)
		assert.Contains(t, body, `GET / "x" te=[chunked]`)
		assert.Equal(t, before+1, o.conns.Load(), "one connection for all")
		_, _ = get("/close")
		_, _ = get("/a")
		assert.Equal(t, before+2, o.conns.Load())
		_, _, err = do(ctx, client, "GET", o.URL+"/many-hints", nil)
		require.ErrorContains(t, err, "too many 1xx informational responses")
	})
}

func TestTransportCookies(t *testing.T) {
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "1"})
		_, _ = io.WriteString(w, r.Header.Get("Cookie"))
	})
	withClient(t, func(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
		jar, err := cookiejar.New(nil)
		require.NoError(t, err)
		client := &http.Client{Transport: tr, Jar: jar}
		_, body, err := do(ctx, client, "GET", o.URL, nil)
		require.NoError(t, err)
		assert.Empty(t, body)
		_, body, err = do(ctx, client, "GET", o.URL, nil)
		require.NoError(t, err)
		assert.Equal(t, "seen=1", body)
	})
}

func TestTransportMisuse(t *testing.T) {
	closed := false
	withClient(t, func(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
		client := &http.Client{Transport: tr}
		for want, target := range map[string]string{"unsupported protocol scheme": "ftp://a/", "no Host in request URL": "http:///a"} {
			_, _, err := do(ctx, client, "GET", target, nil)
			require.ErrorContains(t, err, want)
		}
		body := &closer{Reader: strings.NewReader("x"), closed: &closed}
		_, _, err := do(context.Background(), client, "POST", "http://127.0.0.1:1/", body)
		require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
		assert.True(t, closed, "the body")
		for want, f := range map[string]func(*http.Request){
			"invalid header field name":         func(r *http.Request) { r.Header["a b"] = []string{"c"} },
			"invalid header field value":        func(r *http.Request) { r.Header["A"] = []string{"b\r\nc: d"} },
			"invalid header field name \"c d\"": func(r *http.Request) { r.Trailer = http.Header{"c d": nil} },
			"invalid method":                    func(r *http.Request) { r.Method = "A B" },
		} {
			_, _, err := do(ctx, client, "GET", "http://127.0.0.1:1/", nil, f)
			require.ErrorContains(t, err, want)
		}
		_, _, err = do(ctx, client, "GET", fmt.Sprintf("http://127.0.0.1:%d/", testkit.UnusedPort(t)), nil)
		require.Error(t, err)
		r, err := http.NewRequestWithContext(ctx, "GET", "http://127.0.0.1:1/", nil)
		require.NoError(t, err)
		elsewhere := outside(t, ctx, func() error { _, err := tr.RoundTrip(r); return err })
		require.ErrorIs(t, elsewhere, asyncio.ErrNotCurrentTask)
	})
}

// closer notes that it was closed.
type closer struct {
	io.Reader
	closed *bool
}

func (c *closer) Close() error { *c.closed = true; return nil }

func TestTransportCancel(t *testing.T) {
	gone := make(chan struct{}, 10)
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			_, _ = io.WriteString(w, "beginning")
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done()
		gone <- struct{}{}
	})
	withClient(t, func(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
		client := &http.Client{Transport: tr}
		leave := func() { outside(t, ctx, func() struct{} { return <-gone }) } // the server hears of it

		err := asyncio.Timeout(ctx, 20*time.Millisecond, func(ctx context.Context) error {
			_, _, err := do(ctx, client, "GET", o.URL, nil)
			return err
		})
		require.ErrorIs(t, err, asyncio.ErrTimeout)
		leave()

		task := asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
			_, _, err := do(ctx, client, "GET", o.URL+"/body", nil)
			return err
		}))
		require.NoError(t, asyncio.Sleep(ctx, 20*time.Millisecond))
		task.Cancel()
		_, err = task.Await(ctx)
		require.ErrorIs(t, err, asyncio.ErrCancelled)
		leave()

		derived, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		_, _, err = do(derived, client, "GET", o.URL, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		leave()

		limited := &http.Client{Transport: tr, Timeout: 20 * time.Millisecond}
		_, _, err = do(ctx, limited, "GET", o.URL, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		leave()
		_, _, err = do(ctx, limited, "GET", o.URL+"/body", nil)
		require.Error(t, err)
		leave()

		r, err := http.NewRequestWithContext(ctx, "GET", o.URL+"/body", nil)
		require.NoError(t, err)
		answer, err := client.Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		_, err = answer.Body.Read(make([]byte, 1))
		require.ErrorIs(t, err, http.ErrBodyReadAfterClose)
		leave()
	})
}

// A connection that the server has closed meanwhile is replaced, if that does no harm.
func TestTransportStaleConnection(t *testing.T) {
	var served atomic.Int64
	ln := testkit.ListenNet(t)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { // one answer, then the end at the next request
				defer c.Close()
				b := make([]byte, 4096)
				if _, err := c.Read(b); err != nil {
					return
				}
				served.Add(1)
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				_, _ = c.Read(b)
			}()
		}
	}()
	target := "http://" + ln.Addr().String()
	withClient(t, func(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
		client := &http.Client{Transport: tr}
		for range 4 {
			_, body, err := do(ctx, client, "GET", target, nil)
			require.NoError(t, err)
			assert.Equal(t, "ok", body)
		}
		_, _, err := do(ctx, client, "POST", target, strings.NewReader("once"))
		require.ErrorIs(t, err, io.EOF, "it may have been done")
		_, _, err = do(ctx, client, "GET", target, nil)
		require.NoError(t, err)
		_, body, err := do(ctx, client, "POST", target, strings.NewReader("twice"), func(r *http.Request) { r.Header.Set("Idempotency-Key", "1") })
		require.NoError(t, err)
		assert.Equal(t, "ok", body)
	})
}

func TestTransportKeepsConnections(t *testing.T) {
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) { time.Sleep(time.Millisecond) })
	withClient(t, func(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
		client := &http.Client{Transport: tr}
		l := testkit.LoopOf(ctx)
		burst := func(n int) {
			pages := make([]asyncio.Awaitable[asyncio.None], n)
			for i := range pages {
				pages[i] = asyncio.Do(func(ctx context.Context) error {
					_, _, err := do(ctx, client, "GET", o.URL, nil)
					return err
				})
			}
			_, err := asyncio.Gather(ctx, pages...).Await(ctx)
			require.NoError(t, err)
		}
		burst(5)
		require.NoError(t, asynciotest.Until(ctx, func() bool { return l.Stats().Handles == 2 }), "MaxIdleConnsPerHost")
		tr.MaxIdleConnsPerHost = -1
		burst(3)
		require.NoError(t, asynciotest.Until(ctx, func() bool { return l.Stats().Handles == 0 }))
		tr.MaxIdleConnsPerHost, tr.IdleConnTimeout = 3, 10*time.Millisecond
		burst(3)
		require.NoError(t, asynciotest.Until(ctx, func() bool { return l.Stats().Handles == 0 }), "IdleConnTimeout")
		tr.IdleConnTimeout = 0
		burst(1)
		o.CloseClientConnections()
		require.NoError(t, asynciotest.Until(ctx, func() bool { return l.Stats().Handles == 0 }), "the server's end")
	})
}

func TestTransportExpectContinue(t *testing.T) {
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refuse" {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	})
	withClient(t, func(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
		client := &http.Client{Transport: tr}
		expects := func(r *http.Request) { r.Header.Set("Expect", "100-continue") }
		_, body, err := do(ctx, client, "POST", o.URL, strings.NewReader("wanted"), expects)
		require.NoError(t, err)
		assert.Equal(t, "wanted", body)
		answer, _, err := do(ctx, client, "POST", o.URL+"/refuse", &unread{t}, expects)
		require.NoError(t, err)
		assert.Equal(t, http.StatusRequestEntityTooLarge, answer.StatusCode)
	})
}

// unread fails the test if it is read.
type unread struct{ t *testing.T }

func (u *unread) Read([]byte) (int, error) {
	assert.Fail(u.t, "the body was read")
	return 0, io.EOF
}

// An answer that comes before the request was sent ends the sending.
func TestTransportEarlyAnswer(t *testing.T) {
	ln := testkit.ListenNet(t)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 100))
			_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!")
			go func() { _, _ = io.Copy(io.Discard, c); _ = c.Close() }()
		}
	}()
	withClient(t, func(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
		client := &http.Client{Transport: tr}
		endless := &endless{ctx: ctx}
		answer, body, err := do(ctx, client, "POST", "http://"+ln.Addr().String(), endless)
		require.NoError(t, err)
		assert.Equal(t, 413, answer.StatusCode)
		assert.Equal(t, "no!", body)
	})
}

// endless is a body without an end.
type endless struct{ ctx context.Context }

func (e *endless) Read(p []byte) (int, error) {
	if err := asyncio.Sleep(e.ctx, 0); err != nil {
		return 0, err
	}
	return len(p), nil
}

func TestTransportBodyError(t *testing.T) {
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body) })
	withClient(t, func(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
		client := &http.Client{Transport: tr}
		_, _, err := do(ctx, client, "POST", o.URL, io.MultiReader(strings.NewReader("x"), failing{}))
		require.ErrorIs(t, err, testkit.ErrBoom)
	})
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, testkit.ErrBoom }

// A body that is not read holds the server back.
func TestTransportBackPressure(t *testing.T) {
	const total = 32 << 20
	var written atomic.Int64
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		chunk := make([]byte, 64<<10)
		for range total / len(chunk) {
			n, err := w.Write(chunk)
			if err != nil {
				return
			}
			written.Add(int64(n))
		}
	})
	withClient(t, func(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
		written.Store(0)
		r, err := http.NewRequestWithContext(ctx, "GET", o.URL, nil)
		require.NoError(t, err)
		answer, err := tr.RoundTrip(r)
		require.NoError(t, err)
		for last := int64(-1); written.Load() != last; {
			last = written.Load()
			require.NoError(t, asyncio.Sleep(ctx, 50*time.Millisecond))
		}
		assert.Less(t, written.Load(), int64(total))
		n, err := io.Copy(io.Discard, answer.Body)
		require.NoError(t, err)
		assert.EqualValues(t, total, n)
	})
}

func TestTransportTLS(t *testing.T) {
	o := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	o.TLS = testkit.Certs().ServerConfig()
	o.StartTLS()
	t.Cleanup(o.Close)
	withClient(t, func(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
		tr.TLSClientConfig = testkit.Certs().ClientConfig()
		client := &http.Client{Transport: tr}
		for range 3 {
			answer, body, err := do(ctx, client, "GET", o.URL, nil)
			require.NoError(t, err)
			assert.Equal(t, "HTTP/1.1", body)
			require.NotNil(t, answer.TLS)
			assert.NotEmpty(t, answer.TLS.PeerCertificates)
		}
		_, _, err := do(ctx, &http.Client{Transport: &asynchttp.Transport{}}, "GET", o.URL, nil)
		var unknown *tls.CertificateVerificationError
		require.ErrorAs(t, err, &unknown)
	})
}

func TestTransportTrace(t *testing.T) {
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusEarlyHints) })
	withClient(t, func(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
		var events []string
		note := func(format string, args ...any) { events = append(events, fmt.Sprintf(format, args...)) }
		trace := &httptrace.ClientTrace{
			GetConn:              func(string) { note("get") },
			GotConn:              func(i httptrace.GotConnInfo) { note("got %v %v", i.Reused, i.Conn.RemoteAddr() != nil) },
			WroteHeaders:         func() { note("headers") },
			WroteRequest:         func(i httptrace.WroteRequestInfo) { note("request %v", i.Err) },
			GotFirstResponseByte: func() { note("first byte") },
			Got1xxResponse:       func(code int, _ textproto.MIMEHeader) error { note("%d", code); return nil },
			PutIdleConn:          func(err error) { note("put %v", err) },
		}
		for range 2 {
			_, _, err := do(httptrace.WithClientTrace(ctx, trace), &http.Client{Transport: tr}, "GET", o.URL, nil)
			require.NoError(t, err)
		}
		round := func(reused string) []string {
			return []string{"get", "got " + reused + " true", "headers", "request <nil>", "first byte", "103", "put <nil>"}
		}
		assert.Equal(t, append(round("false"), round("true")...), events)
	})
}

// Malformed answers are errors, and never a second answer.
func TestTransportMalformedAnswers(t *testing.T) {
	answers := map[string]string{
		"/garbage": "GARBAGE\r\n\r\n",
		"/status":  "HTTP/1.1 \r\n\r\n",
		"/nothing": "",
		"/lengths": "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"/sign":    "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
		"/coding":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
		"/short":   "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
		"/chunk":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
		"/long":    "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("b", 11<<20) + "\r\n\r\n",
	}
	ln := testkit.ListenNet(t)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b := make([]byte, 4096)
				n, _ := c.Read(b)
				path := strings.Fields(string(b[:n]))[1]
				_, _ = io.WriteString(c, answers[path])
			}()
		}
	}()
	withClient(t, func(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
		client := &http.Client{Transport: tr}
		for path := range answers {
			_, _, err := do(ctx, client, "GET", "http://"+ln.Addr().String()+path, nil)
			require.Error(t, err, path)
		}
		var failed *url.Error
		_, _, err := do(ctx, client, "GET", "http://"+ln.Addr().String()+"/nothing", nil)
		require.ErrorAs(t, err, &failed)
		require.True(t, errors.Is(err, io.EOF))
	})
}

// One that an HTTP client has upgraded is a stream of bytes both ways.
func TestTransportSwitchesProtocol(t *testing.T) {
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello")
		_, _ = io.Copy(c, rw)
	})
	withClient(t, func(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
		r, err := http.NewRequestWithContext(ctx, "GET", o.URL, nil)
		require.NoError(t, err)
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "echo")
		answer, err := tr.RoundTrip(r)
		require.NoError(t, err)
		stream := answer.Body.(io.ReadWriteCloser)
		b := make([]byte, 5)
		_, err = io.ReadFull(stream, b)
		require.NoError(t, err)
		assert.Equal(t, "hello", string(b))
		_, err = io.WriteString(stream, "world")
		require.NoError(t, err)
		_, err = io.ReadFull(stream, b)
		require.NoError(t, err)
		assert.Equal(t, "world", string(b))
		require.NoError(t, stream.Close())
	})
}
