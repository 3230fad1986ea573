package asynchttp_test

// How connections and servers end: time-outs, clients that go away, Shutdown.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynchttp"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

const short = 30 * time.Millisecond

// silence sends text, and is what comes until the server ends the connection, and when.
func silence(t *testing.T, ctx context.Context, s *site, text string) (string, time.Duration) {
	t.Helper()
	c := dial(t, s.addr)
	start := time.Now()
	_, err := io.WriteString(c, text)
	require.NoError(t, err)
	answer := outside(t, ctx, func() string {
		b, _ := io.ReadAll(c)
		return string(b)
	})
	return answer, time.Since(start)
}

func TestServerTimeouts(t *testing.T) {
	t.Run("ReadHeaderTimeout", func(t *testing.T) {
		with(t, write("hello"), func(t *testing.T, ctx context.Context, s *site) {
			for _, text := range []string{"", "GET / HT", "GET / HTTP/1.1\r\nA: b\r\n c"} {
				answer, took := silence(t, ctx, s, text)
				assert.Empty(t, answer)
				assert.GreaterOrEqual(t, took, short-time.Millisecond, "%q", text)
			}
		}, func(s *asynchttp.Server) { s.ReadHeaderTimeout = short })
	})
	t.Run("ReadHeaderTimeout is over with the head", func(t *testing.T) {
		with(t, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			fmt.Fprint(w, string(body), err)
		}, func(t *testing.T, ctx context.Context, s *site) {
			c := dial(t, s.addr)
			_, err := io.WriteString(c, "POST / HTTP/1.1\r\n"+hostLine+"Content-Length: 3\r\n\r\n")
			require.NoError(t, err)
			require.NoError(t, asyncio.Sleep(ctx, 3*short))
			_, err = io.WriteString(c, "abc")
			require.NoError(t, err)
			answer := outside(t, ctx, func() string {
				r, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil {
					return err.Error()
				}
				b, _ := io.ReadAll(r.Body)
				return string(b)
			})
			assert.Equal(t, "abc<nil>", answer)
			require.NoError(t, c.Close())
		}, func(s *asynchttp.Server) { s.ReadHeaderTimeout = short })
	})
	t.Run("ReadTimeout", func(t *testing.T) {
		var failed error
		with(t, func(w http.ResponseWriter, r *http.Request) {
			_, failed = io.ReadAll(r.Body)
			_, _ = io.WriteString(w, "too slow")
		}, func(t *testing.T, ctx context.Context, s *site) {
			answer, took := silence(t, ctx, s, "POST / HTTP/1.1\r\n"+hostLine+"Content-Length: 3\r\n\r\nab")
			require.ErrorIs(t, failed, os.ErrDeadlineExceeded)
			assert.Contains(t, answer, "Connection: close")
			assert.GreaterOrEqual(t, took, short-time.Millisecond)
			answer, _ = silence(t, ctx, s, "GET / HT")
			assert.Empty(t, answer)
		}, func(s *asynchttp.Server) { s.ReadTimeout = short })
	})
	t.Run("WriteTimeout", func(t *testing.T) {
		failed := asyncio.NewQueue[error](0)
		with(t, func(w http.ResponseWriter, r *http.Request) {
			chunk := make([]byte, 64<<10)
			for {
				if _, err := w.Write(chunk); err != nil {
					_ = failed.PutNowait(err)
					return
				}
			}
		}, func(t *testing.T, ctx context.Context, s *site) {
			failed = asyncio.NewQueue[error](0)
			c := dial(t, s.addr)
			_, err := io.WriteString(c, get("/"))
			require.NoError(t, err)
			failure, err := failed.Get(ctx)
			require.NoError(t, err)
			require.ErrorIs(t, failure, os.ErrDeadlineExceeded)
			require.NoError(t, c.Close())
		}, func(s *asynchttp.Server) { s.WriteTimeout = short })
	})
	t.Run("WriteTimeout is for each request", func(t *testing.T) {
		with(t, write("hello"), func(t *testing.T, ctx context.Context, s *site) {
			c := dial(t, s.addr)
			for range 3 {
				answer := outside(t, ctx, func() string { return exchange(c, get("/")) })
				assert.Contains(t, answer, "hello")
				require.NoError(t, asyncio.Sleep(ctx, short))
			}
			require.NoError(t, c.Close())
		}, func(s *asynchttp.Server) { s.WriteTimeout = short })
	})
	t.Run("IdleTimeout", func(t *testing.T) {
		with(t, write("hello"), func(t *testing.T, ctx context.Context, s *site) {
			answer, took := silence(t, ctx, s, get("/"))
			assert.Contains(t, answer, "hello")
			assert.GreaterOrEqual(t, took, short-time.Millisecond)
		}, func(s *asynchttp.Server) { s.IdleTimeout = short })
	})
	t.Run("IdleTimeout does not bound the first request", func(t *testing.T) {
		with(t, write("hello"), func(t *testing.T, ctx context.Context, s *site) {
			c := dial(t, s.addr)
			require.NoError(t, asyncio.Sleep(ctx, 3*short))
			answer := outside(t, ctx, func() string { return exchange(c, get("/")) })
			assert.Contains(t, answer, "hello")
			require.NoError(t, c.Close())
		}, func(s *asynchttp.Server) { s.IdleTimeout = short })
	})
	t.Run("deadlines of a ResponseController", func(t *testing.T) {
		var failed error
		with(t, func(w http.ResponseWriter, r *http.Request) {
			c := http.NewResponseController(w)
			assert.NoError(t, c.SetReadDeadline(time.Now().Add(short)))
			_, failed = r.Body.Read(make([]byte, 1))
			assert.NoError(t, c.SetReadDeadline(time.Time{}))
			assert.NoError(t, c.SetWriteDeadline(time.Now().Add(-time.Second)))
			_, _ = io.WriteString(w, "late")
			assert.ErrorIs(t, c.Flush(), os.ErrDeadlineExceeded)
		}, func(t *testing.T, ctx context.Context, s *site) {
			answer, _ := silence(t, ctx, s, "POST / HTTP/1.1\r\n"+hostLine+"Content-Length: 3\r\n\r\n")
			assert.Empty(t, answer)
			require.ErrorIs(t, failed, os.ErrDeadlineExceeded)
		})
	})
	t.Run("a client that does not read the last answer", func(t *testing.T) {
		with(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close")
			_, _ = w.Write(make([]byte, 8<<20))
		}, func(t *testing.T, ctx context.Context, s *site) {
			c := dial(t, s.addr)
			_, err := io.WriteString(c, get("/"))
			require.NoError(t, err)
			require.NoError(t, asyncio.Sleep(ctx, short))
			s.stop(t, ctx) // which waits for the connection
			require.NoError(t, c.Close())
		}, func(s *asynchttp.Server) { s.WriteTimeout = short })
	})
}

// exchange sends one request and is the answer.
func exchange(c io.ReadWriter, text string) string {
	if _, err := io.WriteString(c, text); err != nil {
		return err.Error()
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err.Error()
	}
	b, err := io.ReadAll(r.Body)
	return fmt.Sprint(string(b), err)
}

func TestClientGoesAway(t *testing.T) {
	// each of the requests ends with how the handler has ended
	handler := func(ended *asyncio.Queue[error], wait func(w http.ResponseWriter, r *http.Request) error) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { _ = ended.PutNowait(wait(w, r)) }
	}
	sleep := func(_ http.ResponseWriter, r *http.Request) error { return asyncio.Sleep(r.Context(), time.Hour) }
	gone := func(t *testing.T, text string, wait func(http.ResponseWriter, *http.Request) error, check func(t *testing.T, err error)) {
		t.Helper()
		inTask(t, func(t *testing.T, ctx context.Context) {
			ended := asyncio.NewQueue[error](0)
			s := serve(t, ctx, handler(ended, wait))
			for _, reset := range []bool{false, true} {
				c := dial(t, s.addr)
				_, err := io.WriteString(c, text)
				require.NoError(t, err)
				require.NoError(t, asynciotest.Until(ctx, func() bool { return len(asyncio.AllTasks(testkit.LoopOf(ctx))) > 1 }))
				if reset {
					require.NoError(t, c.SetLinger(0))
				}
				require.NoError(t, c.Close())
				err, failed := ended.Get(ctx)
				require.NoError(t, failed)
				check(t, err)
			}
			s.stop(t, ctx)
		})
	}
	cancelled := func(t *testing.T, err error) { require.ErrorIs(t, err, asyncio.ErrCancelled) }
	t.Run("while the handler sleeps", func(t *testing.T) { gone(t, get("/"), sleep, cancelled) })
	t.Run("after a body was read", func(t *testing.T) {
		gone(t, post("3", "abc"), func(w http.ResponseWriter, r *http.Request) error {
			if _, err := io.ReadAll(r.Body); err != nil {
				return err
			}
			return sleep(w, r)
		}, cancelled)
	})
	t.Run("while the handler waits for the end of the context", func(t *testing.T) {
		gone(t, get("/"), func(_ http.ResponseWriter, r *http.Request) error {
			_, err := asyncio.ToThread(r.Context(), func(ctx context.Context) (int, error) {
				<-ctx.Done()
				return 0, nil
			})
			return err
		}, cancelled)
	})
	t.Run("while the body is read", func(t *testing.T) {
		gone(t, post("5", "abc"), func(_ http.ResponseWriter, r *http.Request) error {
			_, err := io.ReadAll(r.Body)
			return err
		}, func(t *testing.T, err error) {
			require.True(t, errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, asyncio.ErrCancelled) || strings.Contains(err.Error(), "reset"), "%v", err)
		})
	})
	t.Run("while the answer is written", func(t *testing.T) {
		gone(t, get("/"), func(w http.ResponseWriter, r *http.Request) error {
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return err
				}
			}
		}, func(t *testing.T, err error) { require.Error(t, err) })
	})
	t.Run("half, and the answer is written", func(t *testing.T) {
		with(t, func(w http.ResponseWriter, r *http.Request) {
			_ = asyncio.Sleep(r.Context(), 0)
			_, err := w.Write(make([]byte, 1<<20))
			assert.NoError(t, err)
		}, func(t *testing.T, ctx context.Context, s *site) {
			answer := ask(t, ctx, s.addr, get("/"))
			assert.Greater(t, len(answer), 1<<20)
		})
	})
	t.Run("the context ends with the handler", func(t *testing.T) {
		contexts := make(chan context.Context, 10)
		with(t, func(w http.ResponseWriter, r *http.Request) {
			assert.NoError(t, r.Context().Err())
			contexts <- r.Context()
		}, func(t *testing.T, ctx context.Context, s *site) {
			ask(t, ctx, s.addr, get("/"))
			ended := <-contexts
			<-ended.Done()
			require.ErrorIs(t, ended.Err(), context.Canceled)
		})
	})
	t.Run("a pipelined request does not cancel", func(t *testing.T) {
		with(t, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, asyncio.Sleep(r.Context(), short))
		}, func(t *testing.T, ctx context.Context, s *site) {
			c := dial(t, s.addr)
			for range 2 {
				_, err := io.WriteString(c, get("/"))
				require.NoError(t, err)
			}
			both := outside(t, ctx, func() string {
				r := bufio.NewReader(c)
				text := ""
				for range 2 {
					answer, err := http.ReadResponse(r, nil)
					if err != nil {
						return err.Error()
					}
					b, _ := io.ReadAll(answer.Body)
					text += string(b)
				}
				return text
			})
			assert.Equal(t, "<nil><nil>", both)
			require.NoError(t, c.Close())
		})
	})
}

func TestShutdown(t *testing.T) {
	t.Run("waits for requests and closes the rest", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			release := asyncio.NewEvent()
			s := serve(t, ctx, func(w http.ResponseWriter, r *http.Request) {
				assert.NoError(t, release.Wait(r.Context()))
				_, _ = io.WriteString(w, "done")
			})
			idle, part, busy := dial(t, s.addr), dial(t, s.addr), dial(t, s.addr)
			_, err := io.WriteString(part, "GET / HTTP/1.1\r\n")
			require.NoError(t, err)
			_, err = io.WriteString(busy, get("/"))
			require.NoError(t, err)
			require.NoError(t, asynciotest.Until(ctx, func() bool { return len(asyncio.AllTasks(testkit.LoopOf(ctx))) > 1 }))

			err = asyncio.Timeout(ctx, short, s.Shutdown)
			require.ErrorIs(t, err, asyncio.ErrTimeout)
			assert.Empty(t, testkit.ReadAll(t, ctx, idle))
			assert.Empty(t, testkit.ReadAll(t, ctx, part))
			_, err = s.Start(ctx, "tcp", "127.0.0.1:0")
			require.ErrorIs(t, err, http.ErrServerClosed)

			again := testkit.Start(ctx, s.Shutdown)
			release.Set()
			_, err = again.Await(ctx)
			require.NoError(t, err)
			answer := undated(string(testkit.ReadAll(t, ctx, busy)))
			assert.Equal(t, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\ndone", answer)
		})
	})
	t.Run("ends ListenAndServe", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			s := &asynchttp.Server{}
			task := testkit.Start(ctx, func(ctx context.Context) error { return s.ListenAndServe(ctx, "tcp", "127.0.0.1:0") })
			require.NoError(t, asyncio.Sleep(ctx, short))
			require.NoError(t, s.Shutdown(ctx))
			_, err := task.Await(ctx)
			require.ErrorIs(t, err, http.ErrServerClosed)
			require.ErrorIs(t, s.ListenAndServe(ctx, "tcp", "127.0.0.1:0"), http.ErrServerClosed)
		})
	})
	t.Run("and so does a cancellation, which cancels handlers", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			ended := asyncio.NewQueue[error](0)
			port := testkit.UnusedPort(t)
			s := &asynchttp.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = ended.PutNowait(asyncio.Sleep(r.Context(), time.Hour))
			})}
			addr := fmt.Sprintf("127.0.0.1:%d", port)
			task := testkit.Start(ctx, func(ctx context.Context) error { return s.ListenAndServe(ctx, "tcp", addr) })
			require.NoError(t, asyncio.Sleep(ctx, short))
			c := dial(t, addr)
			_, err := io.WriteString(c, get("/"))
			require.NoError(t, err)
			require.NoError(t, asynciotest.Until(ctx, func() bool { return len(asyncio.AllTasks(testkit.LoopOf(ctx))) > 2 }))
			task.Cancel()
			_, err = task.Await(ctx)
			require.ErrorIs(t, err, asyncio.ErrCancelled)
			err, failed := ended.Get(ctx)
			require.NoError(t, failed)
			require.ErrorIs(t, err, asyncio.ErrCancelled)
			testkit.ReadAll(t, ctx, c)
		})
	})
	t.Run("a server has one loop, and several addresses", func(t *testing.T) {
		with(t, write("hello"), func(t *testing.T, ctx context.Context, s *site) {
			other, err := s.Start(ctx, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			assert.Contains(t, ask(t, ctx, testkit.ServerAddr(t, other), get("/")), "hello")
			_, err = s.Start(ctx, "tcp", s.addr)
			require.Error(t, err, "the port is taken")
			elsewhere := outside(t, ctx, func() error {
				_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
					_, err := s.Start(ctx, "tcp", "127.0.0.1:0")
					return err
				}))
				return err
			})
			require.ErrorIs(t, elsewhere, asyncio.ErrWrongLoop)
			_, err = (&asynchttp.Server{}).Start(context.Background(), "tcp", "127.0.0.1:0")
			require.ErrorIs(t, err, asyncio.ErrNoRunningLoop)
		})
	})
}
