// Package asynchttp_test has the suites of package asynchttp: the same bytes to its
// server and to net/http's, what handlers may do, how connections and servers end, the
// transport, and other programs as peers. docs/peers.md goes by the names of net/http's
// own tests.
package asynchttp_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynchttp"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// hang bounds what a test waits for. It is long: others use the machine too.
const hang = 30 * time.Second

// inTask runs test in a task, on each driver.
func inTask(t *testing.T, test func(t *testing.T, ctx context.Context)) {
	t.Helper()
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		reports := asynciotest.RecordReports(l)
		asynciotest.InTask(t, l, func(ctx context.Context) { test(t, ctx) })
		reports.None(t)
	})
}

// site is a server of a test.
type site struct {
	*asynchttp.Server
	addr string
	log  *bytes.Buffer // what it has logged
}

// serve starts a server on the loopback interface, which ends with stop.
func serve(t *testing.T, ctx context.Context, handler http.HandlerFunc, change ...func(*asynchttp.Server)) *site {
	t.Helper()
	s := &site{Server: &asynchttp.Server{Handler: handler}, log: new(bytes.Buffer)}
	s.ErrorLog = slog.New(slog.NewTextHandler(s.log, nil))
	for _, f := range change {
		f(s.Server)
	}
	listener, err := s.Start(ctx, "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.addr = testkit.ServerAddr(t, listener)
	return s
}

// stop ends the server: all of its connections have a task no more.
func (s *site) stop(t *testing.T, ctx context.Context) {
	t.Helper()
	err := asyncio.Timeout(ctx, hang, s.Shutdown)
	require.NoError(t, err)
}

// with runs test beside a server.
func with(t *testing.T, handler http.HandlerFunc, test func(t *testing.T, ctx context.Context, s *site), change ...func(*asynchttp.Server)) {
	t.Helper()
	inTask(t, func(t *testing.T, ctx context.Context) {
		s := serve(t, ctx, handler, change...)
		test(t, ctx, s)
		s.stop(t, ctx)
	})
}

// dial connects a peer of package net.
func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, hang)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(hang)))
	return c.(*net.TCPConn)
}

// outside runs fn on a goroutine while the loop runs.
func outside[T any](t *testing.T, ctx context.Context, fn func() T) T {
	t.Helper()
	v, err := asyncio.ToThread(ctx, func(context.Context) (T, error) { return fn(), nil })
	require.NoError(t, err)
	return v
}

// talk sends bytes and the end of its direction, and is what comes back.
func talk(addr, text string) string {
	return talkBy(addr, func(send func(string) bool) { send(text) })
}

// talkBy is talk for what say sends.
func talkBy(addr string, say func(send func(string) bool)) string {
	c, err := net.DialTimeout("tcp", addr, hang)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(hang))
	answer := make(chan []byte, 1)
	go func() {
		b, _ := io.ReadAll(c) // it may end with a reset
		answer <- b
	}()
	say(func(text string) bool {
		_, err := io.WriteString(c, text) // it may have been refused meanwhile
		return err == nil
	})
	_ = c.(*net.TCPConn).CloseWrite()
	return string(<-answer)
}

// ask is talk beside the loop, without the date of the answers.
func ask(t *testing.T, ctx context.Context, addr, text string) string {
	t.Helper()
	return undated(outside(t, ctx, func() string { return talk(addr, text) }))
}

var datePattern = regexp.MustCompile(`Date: [^\r]*GMT\r\n`)

func undated(answer string) string { return datePattern.ReplaceAllString(answer, "") }

// joined is answers with the chunks of each body made one: how a body is cut is nobody's
// business.
func joined(answers string) string {
	const encoding = "Transfer-Encoding: chunked\r\n"
	before, rest, found := strings.Cut(answers, encoding)
	if !found {
		return answers
	}
	head, body, _ := strings.Cut(rest, "\r\n\r\n")
	if strings.HasPrefix(rest, "\r\n") {
		head, body = "", rest[2:]
	}
	data := ""
	for {
		size, more, _ := strings.Cut(body, "\r\n")
		n, err := strconv.ParseInt(size, 16, 32)
		if err != nil || n == 0 || int(n)+2 > len(more) {
			return before + encoding + head + "\r\n\r\n<" + data + ">" + joined(body)
		}
		data, body = data+more[:n], more[n+2:]
	}
}

// get is a request without a body.
func get(path string, lines ...string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: test\r\n" + strings.Join(append(lines, "\r\n"), "\r\n")
}

// fetch is what a client of net/http gets.
func fetch(t *testing.T, ctx context.Context, r *http.Request) (*http.Response, string) {
	t.Helper()
	type result struct {
		answer *http.Response
		body   string
		err    error
	}
	got := outside(t, ctx, func() (got result) {
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		got.answer, got.err = transport.RoundTrip(r)
		if got.err != nil {
			return got
		}
		defer got.answer.Body.Close()
		body, err := io.ReadAll(got.answer.Body)
		got.body, got.err = string(body), err
		return got
	})
	require.NoError(t, got.err)
	return got.answer, got.body
}

// request is one for a server of a test.
func request(t *testing.T, method, addr, path string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+addr+path, body)
	require.NoError(t, err)
	return r
}
