package asynchttp_test

// Round trips in detail.

import (
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynchttp"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// scripted answers each request with the same bytes.
func scripted(t *testing.T, answer string) string {
	t.Helper()
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
				for {
					if _, err := c.Read(b); err != nil {
						return
					}
					_, _ = io.WriteString(c, answer)
				}
			}()
		}
	}()
	return "http://" + ln.Addr().String()
}

func TestTransportDetails(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, r.Method+" "+r.Header.Get("Accept-Encoding")+" "+string(body))
	}
	t.Run("Close of a request", func(t *testing.T) {
		o := newOrigin(t, echo)
		withClient(t, func(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
			before := o.conns.Load()
			for range 3 {
				_, _, err := do(ctx, &http.Client{Transport: tr}, "GET", o.URL, nil, func(r *http.Request) { r.Close = true })
				require.NoError(t, err)
			}
			assert.Equal(t, before+3, o.conns.Load())
		})
	})
	t.Run("no method is GET", func(t *testing.T) {
		o := newOrigin(t, echo)
		withClient(t, func(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
			_, body, err := do(ctx, &http.Client{Transport: tr}, "", o.URL, nil)
			require.NoError(t, err)
			assert.Equal(t, "GET gzip ", body)
		})
	})
	t.Run("a range is not compressed", func(t *testing.T) {
		o := newOrigin(t, echo)
		withClient(t, func(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
			_, body, err := do(ctx, &http.Client{Transport: tr}, "GET", o.URL, nil, func(r *http.Request) { r.Header.Set("Range", "bytes=0-1") })
			require.NoError(t, err)
			assert.Equal(t, "GET  ", body)
		})
	})
	t.Run("GZIP in capitals", func(t *testing.T) {
		o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "GZIP")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, "packed")
			_ = z.Close()
		})
		withClient(t, func(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
			_, body, err := do(ctx, &http.Client{Transport: tr}, "GET", o.URL, nil)
			require.NoError(t, err)
			assert.Equal(t, "packed", body)
			answer, body, err := do(ctx, &http.Client{Transport: tr}, "GET", o.URL, nil, func(r *http.Request) { r.Header.Set("Accept-Encoding", "gzip") })
			require.NoError(t, err)
			assert.False(t, answer.Uncompressed, "who asks for it gets it")
			assert.NotEqual(t, "packed", body)
		})
	})
	t.Run("a compressed answer that ends early", func(t *testing.T) {
		target := scripted(t, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b")
		withClient(t, func(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
			_, _, err := do(ctx, &http.Client{Transport: tr}, "GET", target, nil)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		})
	})
	t.Run("chunks leave as they come", func(t *testing.T) {
		seen := make(chan string, 10)
		o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
			b := make([]byte, 100)
			for {
				n, err := r.Body.Read(b)
				if n > 0 {
					seen <- string(b[:n])
				}
				if err != nil {
					return
				}
			}
		})
		withClient(t, func(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
			_, _, err := do(ctx, &http.Client{Transport: tr}, "POST", o.URL, &relay{t: t, ctx: ctx, seen: seen})
			require.NoError(t, err)
		})
	})
	t.Run("a trace without hooks", func(t *testing.T) {
		o := newOrigin(t, echo)
		withClient(t, func(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
			_, _, err := do(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{}), &http.Client{Transport: tr}, "POST", o.URL, strings.NewReader("x"),
				func(r *http.Request) { r.Header.Set("Expect", "100-continue") })
			require.NoError(t, err)
		})
	})
	t.Run("304 in chunks", func(t *testing.T) {
		target := scripted(t, "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n")
		withClient(t, func(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
			for range 2 {
				answer, body, err := do(ctx, &http.Client{Transport: tr}, "GET", target, nil)
				require.NoError(t, err)
				assert.Equal(t, 304, answer.StatusCode)
				assert.Empty(t, body)
			}
		})
	})
	t.Run("a context that has ended", func(t *testing.T) {
		withClient(t, func(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
			ended, cancel := context.WithCancelCause(ctx)
			cancel(testkit.ErrBoom)
			closed := false
			_, _, err := do(ended, &http.Client{Transport: tr}, "POST", "http://127.0.0.1:1", &closer{strings.NewReader("x"), &closed})
			require.ErrorIs(t, err, testkit.ErrBoom)
			assert.True(t, closed)
		})
	})
	t.Run("408 on an idle connection", func(t *testing.T) {
		ln := testkit.ListenNet(t)
		say := make(chan struct{})
		go func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				go func(c net.Conn) {
					defer c.Close()
					_, _ = c.Read(make([]byte, 4096))
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
					<-say
					_, _ = io.WriteString(c, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n")
				}(c)
			}
		}()
		withClient(t, func(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
			l := testkit.LoopOf(ctx)
			_, _, err := do(ctx, &http.Client{Transport: tr}, "GET", "http://"+ln.Addr().String(), nil)
			require.NoError(t, err)
			say <- struct{}{}
			require.NoError(t, asynciotest.Until(ctx, func() bool { return l.Stats().Handles == 0 }))
		})
	})
}

// relay is a body whose next piece comes when the server has seen the last one.
type relay struct {
	t    *testing.T
	ctx  context.Context
	seen chan string
	sent int
}

func (r *relay) Read(p []byte) (int, error) {
	if r.sent > 0 {
		got, err := asyncio.ToThread(r.ctx, func(context.Context) (string, error) { return <-r.seen, nil })
		assert.NoError(r.t, err)
		assert.Equal(r.t, "piece", got)
	}
	if r.sent == 3 {
		return 0, io.EOF
	}
	r.sent++
	return copy(p, "piece"), nil
}
