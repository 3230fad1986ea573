package asynchttp

// The transport: one round trip after another on connections that it keeps.

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"time"

	"github.com/seed-a026a017/asyncio"
)

const (
	idlePerHostDefault = 2
	idleTimeoutDefault = 90 * time.Second
)

// Transport is an http.RoundTripper that awaits in the task of the request's context:
//
//	client := &http.Client{Transport: &asynchttp.Transport{}}
//	r, err := http.NewRequestWithContext(ctx, "GET", url, nil) // ctx: the task's
//	answer, err := client.Do(r)
//
// One Transport serves tasks of any loop; each loop has connections of its own. Its
// fields are not to be changed once it is used.
//
// The answer's body is read in the task of the request, and suspends it; the request's
// body is read there too, so it must not block, see asyncio.ToThread. An answer that ends
// the exchange before the request's body was sent, such as 413, ends the sending, and so
// does one that is not read while the server does not read either: full duplex is up to
// what is buffered on the way.
//
// There are no proxies, and no HTTP/2. Of httptrace's hooks those of connecting are not
// called: GetConn and GotConn are.
type Transport struct {
	TLSClientConfig     *tls.Config   // nil: the system's authorities
	MaxIdleConnsPerHost int           // 0: 2; less: none
	IdleConnTimeout     time.Duration // 0: 90 s; less: no limit

	mu    sync.Mutex
	pools map[*asyncio.Loop]*pool
}

// RoundTrip implements http.RoundTripper. Outside of a task the error is
// asyncio.ErrNotCurrentTask.
// Suspends. Cancelled: the connection is closed.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	err := checkOutgoing(r)
	if err == nil && asyncio.CurrentTask(ctx) == nil {
		err = fmt.Errorf("asynchttp: %w: RoundTrip needs a request with the context of the task that calls; make it with "+
			"http.NewRequestWithContext", asyncio.ErrNotCurrentTask)
	}
	var l *asyncio.Loop
	if err == nil {
		l, err = asyncio.GetRunningLoop(ctx)
	}
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		closeBody(r)
		return nil, err
	}
	p := t.poolOf(l)
	for {
		c, err := p.take(ctx, r)
		if err != nil {
			closeBody(r)
			return nil, err
		}
		answer, err := c.roundTrip(ctx, r)
		if err == nil {
			return answer, nil
		}
		c.end()
		again := c.retry(r, err)
		if again == nil {
			closeBody(r)
			return nil, err
		}
		r = again
	}
}

// CloseIdleConnections closes the connections that no round trip uses, each in the next
// turn of its loop. It may be called from any goroutine.
func (t *Transport) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for l, p := range t.pools {
		_, _ = l.CallSoonThreadsafe(p.closeAll) // a closed loop has closed them
	}
}

// poolOf is the connections of a loop.
func (t *Transport) poolOf(l *asyncio.Loop) *pool {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.pools[l]
	if p == nil {
		if t.pools == nil {
			t.pools = make(map[*asyncio.Loop]*pool)
		}
		maps.DeleteFunc(t.pools, func(l *asyncio.Loop, _ *pool) bool { return l.IsClosed() })
		p = &pool{transport: t, loop: l, idle: make(map[hostKey][]*clientConn)}
		t.pools[l] = p
	}
	return p
}

// forget drops the pool of a loop on which nothing is kept.
func (t *Transport) forget(p *pool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pools[p.loop] == p {
		delete(t.pools, p.loop)
	}
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close() // the error of the round trip is the one that counts
	}
}

// checkOutgoing refuses what cannot be sent.
func checkOutgoing(r *http.Request) error {
	switch {
	case r.URL == nil:
		return errors.New("http: nil Request.URL")
	case r.Header == nil:
		return errors.New("http: nil Request.Header")
	case r.URL.Scheme != "http" && r.URL.Scheme != "https":
		return fmt.Errorf("unsupported protocol scheme %q", r.URL.Scheme)
	case r.Method != "" && !all(r.Method, inToken):
		return fmt.Errorf("net/http: invalid method %q", r.Method)
	case r.URL.Host == "":
		return errors.New("http: no Host in request URL")
	}
	for _, header := range []http.Header{r.Header, r.Trailer} {
		for key, values := range header {
			if key == "" || !all(key, inToken) {
				return fmt.Errorf("net/http: invalid header field name %q", key)
			}
			for _, value := range values {
				if !all(value, inValue) {
					return fmt.Errorf("net/http: invalid header field value for %q", key) // which may be a secret
				}
			}
		}
	}
	return nil
}

// hostKey is what connections have in common that may take each other's place.
type hostKey struct{ scheme, address string }

func keyOf(r *http.Request) hostKey {
	port := r.URL.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[r.URL.Scheme]
	}
	return hostKey{r.URL.Scheme, net.JoinHostPort(r.URL.Hostname(), port)}
}

// retry is the request again, if it may be sent on another connection after err; else
// nil. It may if it failed on a connection that was kept, before any of the answer came,
// and does no harm twice: the rules are net/http's.
func (c *clientConn) retry(r *http.Request, err error) *http.Request {
	if !c.reused || c.answerBegun || !isStale(err) || !isReplayable(r) {
		return nil
	}
	if r.GetBody == nil {
		return r
	}
	body, err := r.GetBody()
	if err != nil {
		return nil
	}
	closeBody(r)
	again := *r
	again.Body = body
	return &again
}

// isStale reports whether err may come from a server that had closed the connection.
func isStale(err error) bool {
	var lost *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &lost)
}

func isReplayable(r *http.Request) bool {
	if r.Body != nil && r.Body != http.NoBody && r.GetBody == nil {
		return false
	}
	switch r.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return r.Header["Idempotency-Key"] != nil || r.Header["X-Idempotency-Key"] != nil
}

// wantsGzip reports whether the answer may be compressed without the caller's knowing.
func wantsGzip(r *http.Request) bool {
	return r.Header.Get("Accept-Encoding") == "" && r.Header.Get("Range") == "" && r.Method != http.MethodHead
}

// traceOf is the hooks of a request; none is nil.
func traceOf(ctx context.Context) *httptrace.ClientTrace {
	if trace := httptrace.ContextClientTrace(ctx); trace != nil {
		return trace
	}
	return &noTrace
}

var noTrace httptrace.ClientTrace

// isGzip reports whether an answer is compressed so.
func isGzip(answer *http.Response) bool {
	return strings.EqualFold(answer.Header.Get("Content-Encoding"), "gzip")
}
