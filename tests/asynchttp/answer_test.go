package asynchttp_test

// Handlers that answer in every way there is: the bytes are those of net/http's server.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// alike sends texts to a handler on both servers, and compares the answers.
func alike(t *testing.T, handler http.HandlerFunc, texts ...string) {
	t.Helper()
	theirs := netServer(t, handler)
	with(t, handler, func(t *testing.T, ctx context.Context, s *site) {
		for _, text := range texts {
			same(t, ctx, "", text, s.addr, theirs)
		}
	})
}

func write(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Add(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

// all are the requests that handlers are usually tried with.
var all = []string{
	get("/") + get("/again"),
	"HEAD / HTTP/1.1\r\n" + hostLine + "\r\n" + get("/"),
	"GET / HTTP/1.0\r\n\r\n",
	"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + get("/again"),
	"HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + get("/again"),
	get("/", "Connection: close") + get("/again"),
	post("3", "abc") + get("/again"),
	chunks("3\r\nabc\r\n0\r\n\r\n") + get("/again"),
}

func TestAnswers(t *testing.T) {
	t.Run("nothing", func(t *testing.T) { alike(t, func(http.ResponseWriter, *http.Request) {}, all...) })
	t.Run("a small body", func(t *testing.T) { alike(t, write("hello"), all...) })
	t.Run("HTML", func(t *testing.T) { alike(t, write("<html><body>"), all...) })
	t.Run("an empty write", func(t *testing.T) { alike(t, write(""), all...) })
	t.Run("a body of 2048 bytes", func(t *testing.T) { alike(t, write(strings.Repeat("x", 2048)), all...) })
	t.Run("a body of 2049 bytes", func(t *testing.T) { alike(t, write(strings.Repeat("x", 2049)), all...) })
	t.Run("a large body", func(t *testing.T) { alike(t, write(strings.Repeat("x", 100<<10)), all...) })
	t.Run("many small writes", func(t *testing.T) {
		alike(t, func(w http.ResponseWriter, _ *http.Request) {
			for i := range 1000 {
				fmt.Fprintf(w, "line %d\n", i)
			}
		}, all...)
	})
	t.Run("flushed", func(t *testing.T) {
		alike(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "one")
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "two")
			_ = http.NewResponseController(w).Flush()
		}, all...)
	})
	t.Run("flushed before anything", func(t *testing.T) {
		alike(t, func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "late")
		}, all...)
	})
	t.Run("a declared length", func(t *testing.T) {
		alike(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			_, _ = io.WriteString(w, "hello")
		}, all...)
	})
	t.Run("less than was declared", func(t *testing.T) {
		alike(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			_, _ = io.WriteString(w, "hello")
		}, all...)
	})
	t.Run("more than was declared", func(t *testing.T) {
		alike(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "3")
			_, err := io.WriteString(w, "hello")
			assert.ErrorIs(t, err, http.ErrContentLength)
		}, get("/")+get("/again"))
	})
	t.Run("a bad length is none", func(t *testing.T) { // net/http sends it, where it does not chunk
		for _, length := range []string{"x", "-1"} {
			with(t, status(200, "Content-Length", length), func(t *testing.T, ctx context.Context, s *site) {
				assert.Equal(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ask(t, ctx, s.addr, get("/")))
				assert.Contains(t, s.log.String(), "invalid Content-Length of")
			})
		}
	})
	for _, code := range []int{200, 204, 205, 304, 404, 500, 599, 600, 999} {
		t.Run("every status", func(t *testing.T) {
			alike(t, status(code, "Content-Type", "a/b", "X", "y"), all...)
			alike(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(code)
				_, err := io.WriteString(w, "body")
				if code == 204 || code == 304 {
					assert.ErrorIs(t, err, http.ErrBodyNotAllowed)
				}
			}, all...)
		})
	}
	t.Run("a status without a body and lengths", func(t *testing.T) {
		alike(t, status(304, "Content-Length", "5", "Content-Type", "a/b"), all...)
		alike(t, status(204, "Content-Length", "5", "Transfer-Encoding", "chunked"), all...)
	})
	t.Run("a type", func(t *testing.T) {
		alike(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "a/b")
			_, _ = io.WriteString(w, "<html>")
		}, all...)
	})
	t.Run("no type", func(t *testing.T) {
		alike(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			_, _ = io.WriteString(w, "<html>")
		}, all...)
	})
	t.Run("an encoding is not sniffed", func(t *testing.T) {
		alike(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, "\x1f\x8b")
		}, all...)
		alike(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "")
			_, _ = io.WriteString(w, "hello")
		}, all...)
	})
	t.Run("a date of its own", func(t *testing.T) { alike(t, status(200, "Date", "today"), all...) })
	t.Run("no date", func(t *testing.T) {
		alike(t, func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil }, all...)
	})
	t.Run("the connection is closed by the handler", func(t *testing.T) {
		for _, value := range []string{"close", "Close", "keep-alive", "x, close"} {
			alike(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Connection", value)
				_, _ = io.WriteString(w, "x")
			}, all...)
			alike(t, status(200, "Connection", value, "Content-Length", "0"), all...)
		}
	})
	for _, encoding := range []string{"chunked", "identity", "gzip", "foo"} {
		t.Run("a transfer encoding of the handler's", func(t *testing.T) {
			alike(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Transfer-Encoding", encoding)
				_, _ = io.WriteString(w, "hello")
			}, all...)
			alike(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Transfer-Encoding", encoding)
				w.Header().Set("Content-Length", "5")
				_, _ = io.WriteString(w, "hello")
			}, all...)
		})
	}
	t.Run("trailers", func(t *testing.T) {
		alike(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-A, x-b, Content-Length, If-Match")
			w.Header().Add("Trailer", "X-C")
			_, _ = io.WriteString(w, "hello")
			w.Header().Set("X-A", "1")
			w.Header().Add("X-B", "2")
			w.Header().Add("X-B", "3")
			w.Header().Set(http.TrailerPrefix+"X-D", "4")
			w.Header().Set("X-Late", "5")
		}, all...)
		alike(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(http.TrailerPrefix+"X-D", "4") }, all...)
	})
	t.Run("headers that come too late", func(t *testing.T) {
		alike(t, func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h.Set("A", "early")
			w.WriteHeader(200)
			h.Set("A", "late")
			w.Header().Set("B", "late")
			_, _ = io.WriteString(w, "x")
		}, all...)
		alike(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "x")
			w.Header().Set("B", "late")
		}, all...)
	})
	t.Run("headers that cannot be", func(t *testing.T) {
		alike(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["A b"] = []string{"c"}
			w.Header()["B"] = []string{"c\r\nd: e", " f "}
			w.Header()["lower"] = []string{"g"}
			w.Header()[""] = []string{"h"}
		}, all...)
	})
	t.Run("informational", func(t *testing.T) {
		alike(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "a")
			w.Header().Set("Content-Length", "123")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Add("Link", "b")
			w.WriteHeader(http.StatusProcessing)
			w.Header().Del("Content-Length")
			_, _ = io.WriteString(w, "x")
		}, all...)
	})
	t.Run("100 by the handler", func(t *testing.T) {
		alike(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusContinue)
			body, _ := io.ReadAll(r.Body)
			_, _ = w.Write(body)
		}, "POST / HTTP/1.1\r\n"+hostLine+"Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"+get("/again"))
	})
	t.Run("switching protocols", func(t *testing.T) {
		alike(t, status(101, "Connection", "Upgrade", "Upgrade", "x"), get("/"))
		alike(t, status(101, "Connection", "Upgrade", "Upgrade", "x"), get("/", "Connection: close"))
	})
	t.Run("http.Error and its kin", func(t *testing.T) {
		alike(t, http.NotFound, all...)
		alike(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusFound) }, all...)
		alike(t, func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "a.txt", time.Unix(1e9, 0), strings.NewReader("some content"))
		}, append(all, get("/", "Range: bytes=2-5"), get("/", "If-Modified-Since: Sun, 09 Sep 2001 01:46:40 GMT"))...)
	})
}

// What a handler leaves of a request's body.
func TestUnreadBodies(t *testing.T) {
	large := func(n int) string { return post(fmt.Sprint(n), strings.Repeat("x", n)) + get("/again") }
	inChunks := func(n int) string {
		return chunks(fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", n, strings.Repeat("x", n))) + get("/again")
	}
	sizes := []string{large(10), large(100 << 10), large(256<<10 - 1), inChunks(10), inChunks(100 << 10)}
	t.Run("a little", func(t *testing.T) { alike(t, write("hello"), sizes...) })
	t.Run("closed", func(t *testing.T) {
		alike(t, func(w http.ResponseWriter, r *http.Request) {
			assert.NoError(t, r.Body.Close())
			if r.ContentLength != 0 {
				_, err := r.Body.Read(make([]byte, 1))
				assert.ErrorIs(t, err, http.ErrBodyReadAfterClose)
			}
			_, _ = io.WriteString(w, "hello")
		}, sizes...)
	})
	t.Run("read in part", func(t *testing.T) {
		alike(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.CopyN(w, r.Body, 5)
		}, sizes...)
	})
	t.Run("set to nil", func(t *testing.T) {
		alike(t, func(w http.ResponseWriter, r *http.Request) {
			r.Body = nil
			_, _ = io.WriteString(w, "hello")
		}, sizes[:3]...)
	})
	t.Run("full duplex", func(t *testing.T) {
		alike(t, func(w http.ResponseWriter, r *http.Request) {
			assert.NoError(t, http.NewResponseController(w).EnableFullDuplex())
			_, _ = io.WriteString(w, "early ")
			w.(http.Flusher).Flush()
			body, err := io.ReadAll(r.Body)
			fmt.Fprint(w, len(body), err)
		}, sizes...)
	})
	t.Run("too much", func(t *testing.T) {
		with(t, write("hello"), func(t *testing.T, ctx context.Context, s *site) {
			for _, text := range []string{large(1 << 20), inChunks(1 << 20)} {
				answer := ask(t, ctx, s.addr, text)
				assert.Equal(t, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\nhello", answer)
			}
		})
	})
	t.Run("limited by http.MaxBytesReader", func(t *testing.T) {
		with(t, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, 10)
			_, err := io.ReadAll(r.Body)
			var tooLarge *http.MaxBytesError
			assert.ErrorAs(t, err, &tooLarge)
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		}, func(t *testing.T, ctx context.Context, s *site) {
			answer := ask(t, ctx, s.addr, large(1<<20))
			assert.True(t, strings.HasPrefix(answer, "HTTP/1.1 413 "), answer)
			assert.Equal(t, 1, strings.Count(answer, "HTTP/1.1"))
		})
	})
	t.Run("never sent", func(t *testing.T) { // the client waits for 100, and is not asked
		with(t, write("no"), func(t *testing.T, ctx context.Context, s *site) {
			answer := ask(t, ctx, s.addr, "POST / HTTP/1.1\r\n"+hostLine+"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
			assert.Equal(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\nno", answer)
		})
	})
}

// Misuse that net/http logs is logged in its words.
func TestMisuseIsLogged(t *testing.T) {
	t.Run("superfluous WriteHeader", func(t *testing.T) {
		with(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
			w.WriteHeader(500)
		}, func(t *testing.T, ctx context.Context, s *site) {
			assert.True(t, strings.HasPrefix(ask(t, ctx, s.addr, get("/")), "HTTP/1.1 200"))
			assert.Contains(t, s.log.String(), "superfluous response.WriteHeader call from ")
			assert.Contains(t, s.log.String(), "answer_test.go:")
		})
	})
	t.Run("a status that is none", func(t *testing.T) {
		with(t, status(99), func(t *testing.T, ctx context.Context, s *site) {
			assert.Empty(t, ask(t, ctx, s.addr, get("/")))
			assert.Contains(t, s.log.String(), "invalid WriteHeader code 99")
		})
	})
	t.Run("a panic", func(t *testing.T) {
		with(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "never seen")
			panic(errors.New("boom"))
		}, func(t *testing.T, ctx context.Context, s *site) {
			assert.Empty(t, ask(t, ctx, s.addr, get("/")+get("/")))
			assert.Contains(t, s.log.String(), "http: panic serving 127.0.0.1:")
			assert.Contains(t, s.log.String(), "boom")
			assert.Contains(t, s.log.String(), "answer_test.go:")
		})
	})
	t.Run("a panic after a flush", func(t *testing.T) {
		with(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "seen")
			w.(http.Flusher).Flush()
			panic("boom")
		}, func(t *testing.T, ctx context.Context, s *site) {
			answer := ask(t, ctx, s.addr, get("/"))
			assert.Contains(t, answer, "4\r\nseen\r\n")
			assert.NotContains(t, answer, "0\r\n\r\n", "the end does not show")
		})
	})
	t.Run("panic(nil)", func(t *testing.T) {
		with(t, func(http.ResponseWriter, *http.Request) { panic(nil) }, func(t *testing.T, ctx context.Context, s *site) {
			assert.Empty(t, ask(t, ctx, s.addr, get("/")))
			assert.Contains(t, s.log.String(), "panic serving")
		})
	})
	t.Run("http.ErrAbortHandler is not", func(t *testing.T) {
		with(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, func(t *testing.T, ctx context.Context, s *site) {
			assert.Empty(t, ask(t, ctx, s.addr, get("/")))
			assert.Empty(t, s.log.String())
		})
	})
}
