package asynchttp_test

// What handlers may do: hijack, ask the context, call from elsewhere, use what net/http
// and its kin bring along.

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynchttp"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// echoRaw answers a hijacked connection's bytes until its end.
func echoRaw(t *testing.T, c net.Conn, rw *bufio.ReadWriter) {
	defer c.Close()
	_, err := io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
	assert.NoError(t, err)
	_, err = io.Copy(c, rw)
	assert.NoError(t, err)
}

func TestHijack(t *testing.T) {
	talkRaw := func(t *testing.T, ctx context.Context, s *site) {
		answer := ask(t, ctx, s.addr, get("/", "Connection: Upgrade", "Upgrade: echo")+strings.Repeat("raw bytes ", 10000))
		assert.Equal(t, "HTTP/1.1 101 Switching Protocols\r\n\r\n"+strings.Repeat("raw bytes ", 10000), answer)
	}
	t.Run("in the handler", func(t *testing.T) {
		with(t, func(w http.ResponseWriter, _ *http.Request) {
			c, rw, err := w.(http.Hijacker).Hijack()
			if assert.NoError(t, err) {
				echoRaw(t, c, rw)
			}
		}, talkRaw)
	})
	t.Run("by a ResponseController", func(t *testing.T) {
		with(t, func(w http.ResponseWriter, _ *http.Request) {
			c, rw, err := http.NewResponseController(w).Hijack()
			if assert.NoError(t, err) {
				echoRaw(t, c, rw)
			}
		}, talkRaw)
	})
	t.Run("for a goroutine", func(t *testing.T) {
		done := make(chan struct{}, 10)
		with(t, func(w http.ResponseWriter, _ *http.Request) {
			c, rw, err := w.(http.Hijacker).Hijack()
			if assert.NoError(t, err) {
				go func() {
					echoRaw(t, c, rw)
					done <- struct{}{}
				}()
			}
		}, func(t *testing.T, ctx context.Context, s *site) {
			talkRaw(t, ctx, s)
			outside(t, ctx, func() struct{} { return <-done })
		})
	})
	t.Run("before the body was read", func(t *testing.T) {
		with(t, func(w http.ResponseWriter, _ *http.Request) {
			c, rw, err := w.(http.Hijacker).Hijack()
			if assert.NoError(t, err) {
				defer c.Close()
				b := make([]byte, 11)
				_, err = io.ReadFull(rw, b)
				assert.NoError(t, err)
				assert.Equal(t, "hello world", string(b))
			}
		}, func(t *testing.T, ctx context.Context, s *site) {
			assert.Empty(t, ask(t, ctx, s.addr, post("11", "hello world")))
			assert.Empty(t, ask(t, ctx, s.addr, "POST / HTTP/1.1\r\n"+hostLine+"Expect: 100-continue\r\nContent-Length: 11\r\n\r\nhello world"))
		})
	})
	t.Run("after a flush", func(t *testing.T) {
		with(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "flushed")
			c, _, err := w.(http.Hijacker).Hijack()
			if assert.NoError(t, err) {
				_, _ = io.WriteString(c, "raw")
				assert.NoError(t, c.Close())
			}
		}, func(t *testing.T, ctx context.Context, s *site) {
			assert.True(t, strings.HasSuffix(ask(t, ctx, s.addr, get("/")), "7\r\nflushed\r\nraw"))
		})
	})
	t.Run("twice, and writes afterwards", func(t *testing.T) {
		with(t, func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if !assert.NoError(t, err) {
				return
			}
			_, _, err = w.(http.Hijacker).Hijack()
			assert.ErrorIs(t, err, http.ErrHijacked)
			_, err = io.WriteString(w, "x")
			assert.ErrorIs(t, err, http.ErrHijacked)
			n, err := w.Write(nil)
			assert.Zero(t, n)
			assert.ErrorIs(t, err, http.ErrHijacked)
			w.WriteHeader(500)
			assert.ErrorIs(t, http.NewResponseController(w).Flush(), http.ErrHijacked)
			assert.NoError(t, c.Close())
			_, err = c.Write([]byte("x"))
			assert.ErrorIs(t, err, net.ErrClosed)
			_, err = c.Read(make([]byte, 1))
			assert.ErrorIs(t, err, net.ErrClosed)
		}, func(t *testing.T, ctx context.Context, s *site) {
			assert.Empty(t, ask(t, ctx, s.addr, get("/")))
			assert.Contains(t, s.log.String(), "response.WriteHeader on hijacked connection from ")
			assert.Contains(t, s.log.String(), "response.Write on hijacked connection from ")
		})
	})
	t.Run("deadlines", func(t *testing.T) {
		with(t, func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if !assert.NoError(t, err) {
				return
			}
			assert.NoError(t, c.SetDeadline(time.Now().Add(short)))
			_, err = c.Read(make([]byte, 1))
			assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
			_, err = c.Write([]byte("late"))
			assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
			assert.NoError(t, c.SetReadDeadline(time.Time{}))
			assert.NoError(t, c.SetWriteDeadline(time.Time{}))
			_, err = c.Write([]byte("in time"))
			assert.NoError(t, err)
			assert.Equal(t, "tcp", c.LocalAddr().Network())
			assert.NotEqual(t, c.LocalAddr(), c.RemoteAddr())
			assert.NoError(t, c.(interface{ CloseWrite() error }).CloseWrite())
			_, err = io.Copy(io.Discard, c)
			assert.NoError(t, err)
			assert.NoError(t, c.Close())
		}, func(t *testing.T, ctx context.Context, s *site) {
			c := dial(t, s.addr)
			_, err := io.WriteString(c, get("/"))
			require.NoError(t, err)
			assert.Equal(t, "in time", string(testkit.ReadAll(t, ctx, c)))
			require.NoError(t, c.CloseWrite())
		}, func(s *asynchttp.Server) { s.WriteTimeout, s.ReadTimeout = time.Hour, time.Hour })
	})
	t.Run("in another task", func(t *testing.T) {
		with(t, func(w http.ResponseWriter, r *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if !assert.NoError(t, err) {
				return
			}
			_, err = asyncio.CreateTask(r.Context(), asyncio.Do(func(context.Context) error {
				_, err := c.Read(make([]byte, 1))
				assert.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
				_, err = io.WriteString(c, "from another task")
				return err
			})).Await(r.Context())
			assert.NoError(t, err)
			assert.NoError(t, c.Close())
		}, func(t *testing.T, ctx context.Context, s *site) {
			assert.Equal(t, "from another task", ask(t, ctx, s.addr, get("/")))
		})
	})
	t.Run("and a panic", func(t *testing.T) {
		with(t, func(w http.ResponseWriter, r *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if assert.NoError(t, err) {
				_, _ = io.WriteString(c, "mine")
				assert.NoError(t, c.Close())
			}
			panic("boom")
		}, func(t *testing.T, ctx context.Context, s *site) {
			assert.Equal(t, "mine", ask(t, ctx, s.addr, get("/")))
			assert.Contains(t, s.log.String(), "boom")
		})
	})
}

// The response and the body are for the handler's task.
func TestCallsFromElsewhere(t *testing.T) {
	calls := func(w http.ResponseWriter, r *http.Request) error {
		_, err := io.ReadAll(r.Body)
		if err == nil {
			return nil
		}
		for _, err := range []error{err, r.Body.Close(), http.NewResponseController(w).Flush(), func() error { _, err := w.Write([]byte("x")); return err }()} {
			if err == nil {
				return fmt.Errorf("it may")
			}
		}
		return err
	}
	t.Run("a goroutine", func(t *testing.T) {
		with(t, func(w http.ResponseWriter, r *http.Request) {
			_, err := asyncio.ToThread(r.Context(), func(context.Context) (int, error) { return 0, calls(w, r) })
			assert.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
			_, _ = io.Copy(w, r.Body)
		}, func(t *testing.T, ctx context.Context, s *site) {
			assert.True(t, strings.HasSuffix(ask(t, ctx, s.addr, post("3", "abc")), "\r\n\r\nabc"))
		})
	})
	t.Run("another task", func(t *testing.T) {
		with(t, func(w http.ResponseWriter, r *http.Request) {
			_, err := asyncio.CreateTask(r.Context(), asyncio.Do(func(context.Context) error { return calls(w, r) })).Await(r.Context())
			assert.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
			_, _ = io.Copy(w, r.Body)
		}, func(t *testing.T, ctx context.Context, s *site) {
			assert.True(t, strings.HasSuffix(ask(t, ctx, s.addr, post("3", "abc")), "\r\n\r\nabc"))
		})
	})
	t.Run("after the handler", func(t *testing.T) {
		kept := make(chan func() error, 10)
		with(t, func(w http.ResponseWriter, r *http.Request) {
			kept <- func() error {
				_, err := w.Write([]byte("x"))
				_, ended := r.Body.Read(make([]byte, 1))
				if ended == nil {
					return nil
				}
				return err
			}
		}, func(t *testing.T, ctx context.Context, s *site) {
			ask(t, ctx, s.addr, post("0", ""))
			require.Error(t, (<-kept)())
		})
	})
}

func TestHandlersAwait(t *testing.T) {
	t.Run("without holding others up", func(t *testing.T) {
		running, most := 0, 0 // no lock: they are tasks of one loop
		with(t, func(w http.ResponseWriter, r *http.Request) {
			running++
			most = max(most, running)
			assert.NoError(t, asyncio.Sleep(r.Context(), short))
			running--
			_, _ = io.WriteString(w, "slept")
		}, func(t *testing.T, ctx context.Context, s *site) {
			asks := make([]asyncio.Awaitable[string], 20)
			for i := range asks {
				asks[i] = asyncio.Coro[string](func(ctx context.Context) (string, error) {
					_, body := fetch(t, ctx, request(t, "GET", s.addr, "/", nil))
					return body, nil
				})
			}
			answers, err := asyncio.Gather(ctx, asks...).Await(ctx)
			require.NoError(t, err)
			for _, answer := range answers {
				assert.Equal(t, "slept", answer)
			}
			assert.Greater(t, most, 1)
		})
	})
	t.Run("and know where they are", func(t *testing.T) {
		with(t, func(w http.ResponseWriter, r *http.Request) {
			assert.NotNil(t, asyncio.CurrentTask(r.Context()))
			assert.IsType(t, &asynchttp.Server{}, r.Context().Value(http.ServerContextKey))
			local := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
			assert.Equal(t, "value", r.Context().Value(testkit.CtxKey("key")))
			assert.NotEmpty(t, r.RemoteAddr)
			_, _ = io.WriteString(w, local.String())
		}, func(t *testing.T, ctx context.Context, s *site) {
			other := context.WithValue(ctx, testkit.CtxKey("key"), "value")
			listener, err := s.Start(other, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			addr := testkit.ServerAddr(t, listener)
			assert.True(t, strings.HasSuffix(ask(t, ctx, addr, get("/")), addr))
		})
	})
	t.Run("with a limit", func(t *testing.T) { // in place of http.TimeoutHandler
		with(t, func(w http.ResponseWriter, r *http.Request) {
			err := asyncio.Timeout(r.Context(), short, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Hour) })
			assert.ErrorIs(t, err, asyncio.ErrTimeout)
			http.Error(w, "too slow", http.StatusServiceUnavailable)
		}, func(t *testing.T, ctx context.Context, s *site) {
			answer, _ := fetch(t, ctx, request(t, "GET", s.addr, "/", nil))
			assert.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
		})
	})
	t.Run("over Unix sockets", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			path := filepath.Join(t.TempDir(), "s")
			s := &asynchttp.Server{Handler: write("hello")}
			_, err := s.Start(ctx, "unix", path)
			require.NoError(t, err)
			answer := outside(t, ctx, func() string {
				c, err := net.Dial("unix", path)
				if err != nil {
					return err.Error()
				}
				defer c.Close()
				return exchange(c, get("/"))
			})
			assert.Equal(t, "hello<nil>", answer)
			require.NoError(t, s.Shutdown(ctx))
		})
	})
}

// What net/http's own handlers need is there.
func TestHandlersOfOthers(t *testing.T) {
	t.Run("http.FileServer", func(t *testing.T) {
		dir := t.TempDir()
		large := strings.Repeat("0123456789", 100<<10)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "large.txt"), []byte(large), 0o600))
		files := http.FileServer(http.Dir(dir))
		alike(t, files.ServeHTTP, get("/"), get("/none"), get("/large.txt", "Range: bytes=1000-2000"), "HEAD /large.txt HTTP/1.1\r\n"+hostLine+"\r\n")
		with(t, files.ServeHTTP, func(t *testing.T, ctx context.Context, s *site) {
			assert.True(t, strings.HasSuffix(ask(t, ctx, s.addr, get("/large.txt")), "\r\n\r\n"+large))
		})
	})
	t.Run("http.ServeMux", func(t *testing.T) {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /items/{id}", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.PathValue("id")) })
		mux.Handle("/files/", http.StripPrefix("/files", http.NotFoundHandler()))
		alike(t, mux.ServeHTTP, get("/items/7"), get("/files"), get("/files/a"), get("//a/../items/7"), get("/none"), "POST /items/7 HTTP/1.1\r\n"+hostLine+"\r\n")
	})
	t.Run("forms", func(t *testing.T) {
		alike(t, func(w http.ResponseWriter, r *http.Request) {
			assert.NoError(t, r.ParseMultipartForm(1))
			fmt.Fprint(w, r.FormValue("a"))
			f, _, err := r.FormFile("f")
			if assert.NoError(t, err) {
				_, _ = io.Copy(w, f)
				assert.NoError(t, f.Close())
			}
		}, "POST / HTTP/1.1\r\n"+hostLine+"Content-Type: multipart/form-data; boundary=xx\r\nContent-Length: 141\r\n\r\n"+
			"--xx\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--xx\r\nContent-Disposition: form-data; name=\"f\"; filename=\"g\"\r\n\r\n"+
			strings.Repeat("x", 10)+"\r\n--xx--\r\n")
	})
	t.Run("httputil.ReverseProxy", func(t *testing.T) {
		o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Path", r.URL.Path)
			body, _ := io.ReadAll(r.Body)
			_, _ = w.Write(body)
		})
		target, err := url.Parse(o.URL)
		require.NoError(t, err)
		inTask(t, func(t *testing.T, ctx context.Context) {
			transport := &asynchttp.Transport{}
			proxy := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
			s := serve(t, ctx, proxy.ServeHTTP)
			for _, body := range []string{"", "small", strings.Repeat("large ", 200<<10)} {
				answer, got := fetch(t, ctx, request(t, "POST", s.addr, "/there", strings.NewReader(body)))
				assert.Equal(t, "/there", answer.Header.Get("X-Path"))
				assert.Equal(t, len(body), len(got))
				_, got = fetch(t, ctx, request(t, "POST", s.addr, "/there", io.MultiReader(strings.NewReader(body))))
				assert.Equal(t, len(body), len(got))
			}
			s.stop(t, ctx)
			closeIdle(t, ctx, transport)
		})
	})
}

func TestServerTLS(t *testing.T) {
	secured := func(s *asynchttp.Server) { s.TLSConfig = testkit.Certs().ServerConfig() }
	t.Run("requests know it", func(t *testing.T) {
		with(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintln(w, r.TLS != nil && r.TLS.HandshakeComplete, r.TLS.NegotiatedProtocol, len(body))
		}, func(t *testing.T, ctx context.Context, s *site) {
			transport := &asynchttp.Transport{TLSClientConfig: testkit.Certs().ClientConfig()}
			for range 3 {
				_, body, err := do(ctx, &http.Client{Transport: transport}, "POST", "https://"+s.addr, strings.NewReader(strings.Repeat("x", 100<<10)))
				require.NoError(t, err)
				assert.Equal(t, "true http/1.1 102400\n", body)
			}
			transport.CloseIdleConnections()
		}, secured)
	})
	t.Run("a client of package http, and large answers", func(t *testing.T) {
		large := strings.Repeat("0123456789", 300<<10)
		with(t, write(large), func(t *testing.T, ctx context.Context, s *site) {
			body := outside(t, ctx, func() string {
				client := &http.Client{Transport: &http.Transport{TLSClientConfig: testkit.Certs().ClientConfig(), ForceAttemptHTTP2: true}}
				defer client.CloseIdleConnections()
				answer, err := client.Get("https://" + s.addr)
				if err != nil {
					return err.Error()
				}
				defer answer.Body.Close()
				b, _ := io.ReadAll(answer.Body)
				return answer.Proto + string(b)
			})
			assert.True(t, body == "HTTP/1.1"+large)
		}, secured)
	})
	t.Run("a client that speaks HTTP", func(t *testing.T) {
		with(t, write("hello"), func(t *testing.T, ctx context.Context, s *site) {
			testkit.LoopOf(ctx).SetDebug(false) // which reports what peers do wrong
			assert.NotContains(t, ask(t, ctx, s.addr, get("/")), "hello")
		}, secured)
	})
	t.Run("a handshake that ends after Shutdown", func(t *testing.T) {
		with(t, write("hello"), func(t *testing.T, ctx context.Context, s *site) {
			c := dial(t, s.addr)
			require.NoError(t, asyncio.Sleep(ctx, short)) // it is accepted
			s.stop(t, ctx)
			answer := outside(t, ctx, func() string {
				cfg := testkit.Certs().ClientConfig()
				cfg.ServerName = "localhost"
				defer c.Close() // else the server waits for that
				return exchange(tls.Client(c, cfg), get("/"))
			})
			assert.NotContains(t, answer, "hello")
		}, secured)
	})
	t.Run("a handshake that does not end", func(t *testing.T) {
		with(t, write("hello"), func(t *testing.T, ctx context.Context, s *site) {
			testkit.LoopOf(ctx).SetDebug(false)
			_, took := silence(t, ctx, s, "\x16\x03\x01")
			assert.GreaterOrEqual(t, took, short-time.Millisecond)
		}, secured, func(s *asynchttp.Server) { s.ReadHeaderTimeout = short })
	})
}
