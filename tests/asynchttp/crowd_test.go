package asynchttp_test

// A crowd of clients that do what they like, and leave when they like: nothing is left of
// them.

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynchttp"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// anything is a handler that does one thing or another.
func anything(w http.ResponseWriter, r *http.Request) {
	switch rand.IntN(7) {
	case 0:
		_, _ = io.WriteString(w, "hello")
	case 1:
		_ = asyncio.Sleep(r.Context(), time.Duration(rand.IntN(20))*time.Millisecond)
	case 2:
		_, _ = io.Copy(io.Discard, r.Body)
	case 3:
		for range 20 {
			if _, err := w.Write(make([]byte, 32<<10)); err != nil {
				return
			}
		}
	case 4:
		_ = r.Body.Close()
		w.(http.Flusher).Flush()
	case 5:
		panic(http.ErrAbortHandler)
	case 6:
		if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_ = c.SetDeadline(time.Now().Add(10 * time.Millisecond))
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}
	}
}

// visit is one client, with a part of a few requests, that reads a little and leaves.
func visit(addr string) error {
	c, err := net.DialTimeout("tcp", addr, hang)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(hang))
	requests := []string{
		get("/"), post("10", "0123456789"), post("100000", strings.Repeat("x", 100000)), chunks("5\r\n01234\r\n0\r\n\r\n"),
		"GET / HTTP/1.1\r\nA: b\r\n", "GARBAGE\r\n\r\n", "GET / HTTP/1.1\r\n" + hostLine + " folded: b\r\n\r\n",
	}
	text := ""
	for range 1 + rand.IntN(4) {
		text += requests[rand.IntN(len(requests))]
	}
	_, _ = io.WriteString(c, text[:1+rand.IntN(len(text))]) // it may be refused
	switch rand.IntN(4) {
	case 0:
		_ = c.(*net.TCPConn).SetLinger(0)
	case 1:
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	case 2:
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		_, _ = io.Copy(io.Discard, c)
	}
	return nil
}

func TestCrowd(t *testing.T) {
	with(t, anything, func(t *testing.T, ctx context.Context, s *site) {
		failures := outside(t, ctx, func() []error {
			var crowd sync.WaitGroup
			var mu sync.Mutex
			var failures []error
			for range 50 {
				crowd.Go(func() {
					for range 20 {
						if err := visit(s.addr); err != nil {
							mu.Lock()
							failures = append(failures, err)
							mu.Unlock()
						}
					}
				})
			}
			crowd.Wait()
			return failures
		})
		require.Empty(t, failures)
		l := testkit.LoopOf(ctx)
		require.NoError(t, asynciotest.Until(ctx, func() bool { return len(asyncio.AllTasks(l)) == 1 }))
		require.NoError(t, asynciotest.Until(ctx, func() bool { return l.Stats().Handles == 1 }), "only the server is left")
		assert.Empty(t, s.log.String())
	}, func(s *asynchttp.Server) { s.ReadTimeout, s.WriteTimeout = 200*time.Millisecond, time.Second })
}

// Clients of the package do so too, against a server of net/http.
func TestCrowdOfTasks(t *testing.T) {
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch r.URL.Path {
		case "/abort":
			panic(http.ErrAbortHandler)
		case "/large":
			_, _ = w.Write(make([]byte, 1<<20))
		}
	})
	withClient(t, func(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
		client := &http.Client{Transport: tr}
		visits := make([]asyncio.Awaitable[asyncio.None], 100)
		for i := range visits {
			visits[i] = asyncio.Do(func(ctx context.Context) error {
				for range 10 {
					path := []string{"/", "/abort", "/large"}[rand.IntN(3)]
					_ = asyncio.Timeout(ctx, time.Duration(1+rand.IntN(30))*time.Millisecond, func(ctx context.Context) error {
						_, _, err := do(ctx, client, "POST", fmt.Sprint(o.URL, path), strings.NewReader(strings.Repeat("x", rand.IntN(200000))))
						return err
					})
				}
				return nil
			})
		}
		_, err := asyncio.Gather(ctx, visits...).Await(ctx)
		require.NoError(t, err)
	})
}
