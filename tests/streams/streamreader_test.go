package streams_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// eachReader runs test in a task, with a reader that it feeds itself, on each driver.
func eachReader(t *testing.T, limit int, test func(t *testing.T, ctx context.Context, r *asyncio.StreamReader)) {
	t.Helper()
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		r := asyncio.NewStreamReader(l, limit)
		asynciotest.InTask(t, l, func(ctx context.Context) { test(t, ctx, r) })
	})
}

// feed feeds the chunks.
func feed(r *asyncio.StreamReader, chunks ...string) {
	for _, c := range chunks {
		r.FeedData([]byte(c))
	}
}

// feedLater feeds one chunk a turn, from the next turn on.
func feedLater(l *asyncio.Loop, r *asyncio.StreamReader, chunks ...string) {
	if len(chunks) > 0 {
		l.CallSoon(func() {
			feed(r, chunks[0])
			feedLater(l, r, chunks[1:]...)
		})
	}
}

// rest is what the reader has left, which must end there.
func rest(t *testing.T, ctx context.Context, r *asyncio.StreamReader) string {
	t.Helper()
	r.FeedEOF()
	b, err := r.ReadAll(ctx)
	require.NoError(t, err)
	return string(b)
}

// gives fails the test unless a read returned want.
func gives(t *testing.T, want string) func([]byte, error) {
	return func(b []byte, err error) {
		t.Helper()
		require.NoError(t, err)
		require.Equal(t, want, string(b))
	}
}

func seps(s ...string) [][]byte {
	var b [][]byte
	for _, sep := range s {
		b = append(b, []byte(sep))
	}
	return b
}

func TestStreamReaderLines(t *testing.T) {
	t.Run("STR-02", func(t *testing.T) {
		eachReader(t, 7, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			feed(r, "1234567\n")
			gives(t, "1234567\n")(r.ReadLine(ctx))
			feed(r, "12345678\n")
			_, err := r.ReadLine(ctx)
			var overrun *asyncio.LimitOverrunError
			require.ErrorAs(t, err, &overrun)
			require.Equal(t, 8, overrun.Consumed)
			require.Empty(t, rest(t, ctx, r))
		})
	})
	t.Run("STR-03", func(t *testing.T) {
		eachReader(t, 7, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			feed(r, "chunk1", "chunk2\n", "chunk3\n")
			_, err := r.ReadLine(ctx)
			testkit.ErrorSays(t, err, "limit of 7 bytes")
			require.Equal(t, "chunk3\n", rest(t, ctx, r))
		})
	})
	t.Run("STR-04", func(t *testing.T) {
		eachReader(t, 7, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			feed(r, "chunk1", "chunk2", "chunk3\n")
			_, err := r.ReadLine(ctx)
			var overrun *asyncio.LimitOverrunError
			require.ErrorAs(t, err, &overrun)
			require.Empty(t, rest(t, ctx, r))
		})
	})
	t.Run("no newline within the limit drops all that is there", func(t *testing.T) {
		eachReader(t, 7, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			feedLater(testkit.LoopOf(ctx), r, "chunk1", "chunk2", "tail\n")
			_, err := r.ReadLine(ctx)
			require.Error(t, err)
			gives(t, "tail\n")(r.ReadLine(ctx))
		})
	})
	t.Run("a line in pieces", func(t *testing.T) {
		eachReader(t, 100, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			feed(r, "chunk1 ")
			feedLater(testkit.LoopOf(ctx), r, "chunk2 ", "chunk3 ", "\n chunk4")
			gives(t, "chunk1 chunk2 chunk3 \n")(r.ReadLine(ctx))
			require.Equal(t, " chunk4", rest(t, ctx, r))
		})
	})
	t.Run("the last line may lack its newline", func(t *testing.T) {
		eachReader(t, 100, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			feed(r, "one\nlast")
			r.FeedEOF()
			gives(t, "one\n")(r.ReadLine(ctx))
			require.False(t, r.AtEOF())
			gives(t, "last")(r.ReadLine(ctx))
			require.True(t, r.AtEOF())
			_, err := r.ReadLine(ctx)
			require.Equal(t, io.EOF, err)
		})
	})
	t.Run("STR-23", func(t *testing.T) {
		eachReader(t, 100, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			l := testkit.LoopOf(ctx)
			feedLater(l, r, "a\nb", "b\n", "cc")
			l.CallSoon(func() { l.CallSoon(func() { l.CallSoon(func() { l.CallSoon(r.FeedEOF) }) }) })
			var lines []string
			for line, err := range r.Lines(ctx) {
				require.NoError(t, err)
				lines = append(lines, string(line))
			}
			require.Equal(t, []string{"a\n", "bb\n", "cc"}, lines)
		})
	})
	t.Run("Lines ends with an error", func(t *testing.T) {
		eachReader(t, 100, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			feed(r, "a\n")
			var got []string
			for line, err := range r.Lines(ctx) {
				got = append(got, fmt.Sprintf("%q %v", line, err))
				r.SetException(testkit.ErrBoom)
			}
			require.Equal(t, []string{`"a\n" <nil>`, `"" boom`}, got)
		})
	})
}

func TestStreamReaderRead(t *testing.T) {
	t.Run("STR-08", func(t *testing.T) {
		eachReader(t, 4, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			l := testkit.LoopOf(ctx)
			nothing := func() {
				n, err := r.Read(ctx, nil)
				require.NoError(t, err)
				require.Zero(t, n)
			}
			nothing()
			feed(r, "chunk1")
			nothing()
			feedLater(l, r, "chunk2")
			l.CallSoon(func() { l.CallSoon(func() { l.CallSoon(r.FeedEOF) }) })
			gives(t, "chunk1chunk2")(r.ReadAll(ctx))
			gives(t, "")(r.ReadAll(ctx))
		})
	})
	t.Run("Read takes what is there, then io.EOF", func(t *testing.T) {
		eachReader(t, 100, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			p := make([]byte, 4)
			read := func() string {
				n, err := r.Read(ctx, p)
				require.NoError(t, err)
				return string(p[:n])
			}
			feed(r, "abcdef")
			require.Equal(t, "abcd", read())
			require.Equal(t, "ef", read())
			feedLater(testkit.LoopOf(ctx), r, "ghijklm")
			require.Equal(t, "ghij", read())
			require.Equal(t, "klm", read())
			r.FeedEOF()
			_, err := r.Read(ctx, p)
			require.Equal(t, io.EOF, err)
		})
	})
	t.Run("a Read that waits gets nothing but the first chunk", func(t *testing.T) {
		eachReader(t, 100, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			testkit.LoopOf(ctx).CallSoon(func() { feed(r, "ab", "cd") })
			p := make([]byte, 10)
			n, err := r.Read(ctx, p)
			require.NoError(t, err)
			require.Equal(t, "ab", string(p[:n]))
			require.Equal(t, "cd", rest(t, ctx, r))
		})
	})
	t.Run("a chunk without bytes wakes nobody", func(t *testing.T) {
		eachReader(t, 100, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			task := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return r.Read(ctx, make([]byte, 10)) })
			asynciotest.Yield(t, ctx, 1)
			feed(r, "")
			r.FeedData(nil)
			asynciotest.Yield(t, ctx, 2)
			require.False(t, task.Done())
			feed(r, "ab")
			n, err := task.Await(ctx)
			require.NoError(t, err)
			require.Equal(t, 2, n)
			feed(r, "")
			require.Empty(t, rest(t, ctx, r))
		})
	})
	t.Run("the end wakes a Read that waits", func(t *testing.T) {
		eachReader(t, 100, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			testkit.LoopOf(ctx).CallSoon(r.FeedEOF)
			n, err := r.Read(ctx, make([]byte, 10))
			require.Equal(t, io.EOF, err)
			require.Zero(t, n)
		})
	})
	t.Run("the limit is none for Read", func(t *testing.T) {
		eachReader(t, 3, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			feed(r, "chunk", "s")
			p := make([]byte, 5)
			n, err := r.Read(ctx, p)
			require.NoError(t, err)
			require.Equal(t, "chunk", string(p[:n]))
			require.Equal(t, "s", rest(t, ctx, r))
		})
	})
	t.Run("STR-17", func(t *testing.T) {
		eachReader(t, 3, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			feed(r, "12345")
			gives(t, "12345")(r.ReadExactly(ctx, 5))
			feedLater(testkit.LoopOf(ctx), r, "12", "34", "56")
			gives(t, "12345")(r.ReadExactly(ctx, 5))
			require.Equal(t, "6", rest(t, ctx, r))
		})
	})
	t.Run("ReadExactly at the end empties the buffer", func(t *testing.T) {
		eachReader(t, 100, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			gives(t, "")(r.ReadExactly(ctx, 0))
			feed(r, "abc")
			testkit.LoopOf(ctx).CallSoon(r.FeedEOF)
			_, err := r.ReadExactly(ctx, 5)
			var incomplete *asyncio.IncompleteReadError
			require.ErrorAs(t, err, &incomplete)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			require.Equal(t, asyncio.IncompleteReadError{Partial: []byte("abc"), Expected: 5}, *incomplete)
			testkit.ErrorSays(t, err, "3 bytes read on a total of 5 expected bytes")
			require.True(t, r.AtEOF())
		})
	})
	t.Run("misuse panics", func(t *testing.T) {
		eachReader(t, 100, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { _, _ = r.ReadExactly(ctx, -1) })
			testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { _, _ = r.ReadUntil(ctx, seps("a", "")...) })
			testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { r.SetException(nil) })
			testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { asyncio.NewStreamReader(testkit.LoopOf(ctx), 0) })
			testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { asyncio.NewStreamReader(testkit.LoopOf(ctx), -1) })
			testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { asyncio.WithLimit(-1) })
			testkit.PanicsWith(t, asyncio.ErrNoRunningLoop, func() { asyncio.NewStreamReader(nil, 1) })
			r.FeedEOF()
			testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { feed(r, "late") })
		})
	})
}

func TestStreamReaderUntil(t *testing.T) {
	t.Run("STR-09", func(t *testing.T) {
		eachReader(t, 100, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			feed(r, "lineAAAxxx")
			gives(t, "lineAAA")(r.ReadUntil(ctx, seps("AAA")...))
			require.Equal(t, "xxx", rest(t, ctx, r))
		})
	})
	t.Run("STR-10", func(t *testing.T) {
		eachReader(t, 100, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			feedLater(testkit.LoopOf(ctx), r, "QWEaa", "XYaa", "a")
			gives(t, "QWEaaXYaaa")(r.ReadUntil(ctx, seps("aaa")...))
			require.Empty(t, rest(t, ctx, r))
		})
	})
	t.Run("a separator in pieces", func(t *testing.T) {
		eachReader(t, 100, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			for _, chunks := range [][]string{
				{"QWEaa", "XYaa", "a"}, {"QWEaa", "XYa", "aa"}, {"aaa"}, {"Xaaa"}, {"XXX", "a", "a", "a"},
			} {
				whole := strings.Join(chunks, "")
				feed(r, chunks...)
				gives(t, whole)(r.ReadUntil(ctx, seps("aaa")...))
				feedLater(testkit.LoopOf(ctx), r, chunks...)
				gives(t, whole)(r.ReadUntil(ctx, seps("aaa")...))
			}
			require.Empty(t, rest(t, ctx, r))
		})
	})
	t.Run("STR-12", func(t *testing.T) {
		eachReader(t, 100, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			feed(r, "line 1\nline 2\r")
			gives(t, "line 1\n")(r.ReadUntil(ctx, seps("\r", "\n")...))
			gives(t, "line 2\r")(r.ReadUntil(ctx, seps("\r", "\n")...))
			feed(r, "ABCDEFG")
			gives(t, "ABCDE")(r.ReadUntil(ctx, seps("DEF", "BCDE")...))
			require.Equal(t, "FG", rest(t, ctx, r))
		})
	})
	t.Run("STR-13", func(t *testing.T) {
		eachReader(t, 100, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			feedLater(testkit.LoopOf(ctx), r, "data", "Z", "Aaaa")
			gives(t, "dataZA")(r.ReadUntil(ctx, seps("A", "long sep")...))
			require.Equal(t, "aaa", rest(t, ctx, r))
		})
	})
	t.Run("no separator is a newline", func(t *testing.T) {
		eachReader(t, 100, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			feed(r, "a\nb")
			gives(t, "a\n")(r.ReadUntil(ctx))
		})
	})
	t.Run("over the limit all stays in the buffer", func(t *testing.T) {
		eachReader(t, 3, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			var overrun *asyncio.LimitOverrunError
			feed(r, "dataA")
			_, err := r.ReadUntil(ctx, seps("A")...)
			require.ErrorAs(t, err, &overrun)
			require.Equal(t, 4, overrun.Consumed)
			testkit.ErrorSays(t, err, "is found, but")
			gives(t, "data")(r.ReadExactly(ctx, 4))

			feed(r, "some dataAA")
			_, err = r.ReadUntil(ctx, seps("AAA")...)
			require.ErrorAs(t, err, &overrun)
			testkit.ErrorSays(t, err, "is not found, and")
			feed(r, "A")
			_, err = r.ReadUntil(ctx, seps("AAA")...)
			testkit.ErrorSays(t, err, "is found, but")
			require.Equal(t, "Asome dataAAA", rest(t, ctx, r))
		})
	})
	t.Run("of separators that end together the shortest counts for the limit", func(t *testing.T) {
		eachReader(t, 3, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			feed(r, "some dataA")
			for _, both := range [][][]byte{seps("A", "ome dataA"), seps("ome dataA", "A")} {
				var overrun *asyncio.LimitOverrunError
				_, err := r.ReadUntil(ctx, both...)
				require.ErrorAs(t, err, &overrun)
				require.Equal(t, 9, overrun.Consumed)
				testkit.ErrorSays(t, err, "is found, but")
			}
			require.Equal(t, "some dataA", rest(t, ctx, r))
		})
	})
	t.Run("the end of the stream empties the buffer", func(t *testing.T) {
		eachReader(t, 100, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			feed(r, "dataAA")
			r.FeedEOF()
			_, err := r.ReadUntil(ctx, seps("AAA")...)
			var incomplete *asyncio.IncompleteReadError
			require.ErrorAs(t, err, &incomplete)
			require.Equal(t, asyncio.IncompleteReadError{Partial: []byte("dataAA"), Expected: -1}, *incomplete)
			testkit.ErrorSays(t, err, "on a total of undefined expected bytes")
			require.True(t, r.AtEOF())
		})
	})
}

func TestStreamReaderErrors(t *testing.T) {
	t.Run("SetException wakes the reader and stays", func(t *testing.T) {
		eachReader(t, 100, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			feed(r, "data")
			testkit.LoopOf(ctx).CallSoon(func() { r.SetException(testkit.ErrBoom) })
			_, err := r.ReadLine(ctx)
			require.Equal(t, testkit.ErrBoom, err)
			for _, read := range everyRead(ctx, r) {
				require.Equal(t, testkit.ErrBoom, read())
			}
			require.Equal(t, testkit.ErrBoom, r.Exception())
		})
	})
	t.Run("STR-19", func(t *testing.T) {
		eachReader(t, 100, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			task := asyncio.CreateTask(ctx, func(ctx context.Context) ([]byte, error) { return r.ReadLine(ctx) })
			asynciotest.Yield(t, ctx, 1)
			task.Cancel()
			r.SetException(testkit.ErrBoom) // the task has not learned of its cancellation yet
			_, err := task.Await(ctx)
			require.ErrorIs(t, err, asyncio.ErrCancelled)
			r.SetException(testkit.ErrBoom)
			_, err = r.ReadLine(ctx)
			require.Equal(t, testkit.ErrBoom, err)
		})
	})
	t.Run("STR-20", func(t *testing.T) {
		eachReader(t, 100, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			p := make([]byte, 1)
			first := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return r.Read(ctx, p) })
			asynciotest.Yield(t, ctx, 1)
			_, err := r.ReadLine(ctx)
			require.ErrorIs(t, err, asyncio.ErrConcurrentRead)
			testkit.ErrorSays(t, err, "ReadLine called while another task is already waiting for incoming data")
			for _, read := range everyRead(ctx, r) {
				require.ErrorIs(t, read(), asyncio.ErrConcurrentRead)
			}
			feed(r, "x")
			require.ErrorIs(t, everyRead(ctx, r)[0](), asyncio.ErrConcurrentRead, "the first one has its byte, but has not run yet")
			n, err := first.Await(ctx)
			require.NoError(t, err)
			require.Equal(t, "x", string(p[:n]))
		})
	})
	t.Run("only tasks of the loop read", func(t *testing.T) {
		eachReader(t, 100, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
			feed(r, "there is data\n")
			for _, read := range everyRead(context.Background(), r) {
				require.ErrorIs(t, read(), asyncio.ErrNotCurrentTask)
			}
			for _, read := range everyRead(testkit.LoopOf(ctx).Context(), r) {
				require.ErrorIs(t, read(), asyncio.ErrNotCurrentTask)
			}
			other := asynciotest.New(t)
			testkit.OnGoroutine(func() {
				asynciotest.InTask(t, other, func(ctx context.Context) {
					require.ErrorIs(t, everyRead(ctx, r)[0](), asyncio.ErrWrongLoop)
				})
			})
		})
	})
	t.Run("STR-25", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				r, w, peer := testkit.StreamToNet(t, ctx)
				require.NoError(t, peer.Close())
				gives(t, "")(r.ReadAll(ctx))
				require.True(t, r.AtEOF())
				require.NoError(t, w.Close())
				require.NoError(t, w.WaitClosed(ctx))
				gives(t, "")(r.ReadAll(ctx))

				r, w, peer = testkit.StreamToNet(t, ctx)
				require.NoError(t, peer.SetLinger(0)) // Close resets the connection
				require.NoError(t, peer.Close())
				_, err := r.ReadLine(ctx)
				require.Error(t, err)
				require.ErrorIs(t, w.WaitClosed(ctx), err)
				for _, read := range everyRead(ctx, r) {
					require.Equal(t, err, read())
				}
				require.NoError(t, w.Close())
			})
		})
	})
}

func TestStreamReaderOfAUnixSocketThatIsReset(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
			ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
			require.NoError(t, err)
			r, w, err := asyncio.OpenConnection(ctx, "unix", ln.Addr().String())
			require.NoError(t, err)
			_, err = w.Write([]byte("nobody reads this"))
			require.NoError(t, err)
			require.NoError(t, w.Drain(ctx))
			peer, err := ln.Accept()
			require.NoError(t, err)
			require.NoError(t, asyncio.Sleep(ctx, 0))
			require.NoError(t, peer.Close())
			_, err = r.ReadAll(ctx)
			require.ErrorIs(t, err, syscall.ECONNRESET)
			require.Equal(t, err, r.Exception())
			require.Equal(t, err, w.WaitClosed(ctx))
			require.NoError(t, w.Close())
			require.NoError(t, ln.Close())
		})
	})
}

// everyRead calls each method that reads, and returns its error.
func everyRead(ctx context.Context, r *asyncio.StreamReader) []func() error {
	second := func(_ any, err error) error { return err }
	return []func() error{
		func() error { return second(r.Read(ctx, make([]byte, 1))) },
		func() error { return second(r.ReadAll(ctx)) },
		func() error { return second(r.ReadExactly(ctx, 1)) },
		func() error { return second(r.ReadUntil(ctx, []byte("x"))) },
		func() error { return second(r.ReadLine(ctx)) },
	}
}

func TestStreamReaderCancelledReadConsumesNothing(t *testing.T) {
	reads := map[string]func(ctx context.Context, r *asyncio.StreamReader) error{
		"Read": func(ctx context.Context, r *asyncio.StreamReader) error {
			_, err := r.Read(ctx, make([]byte, 3))
			return err
		},
		"ReadAll":     func(ctx context.Context, r *asyncio.StreamReader) error { _, err := r.ReadAll(ctx); return err },
		"ReadExactly": func(ctx context.Context, r *asyncio.StreamReader) error { _, err := r.ReadExactly(ctx, 4); return err },
		"ReadLine":    func(ctx context.Context, r *asyncio.StreamReader) error { _, err := r.ReadLine(ctx); return err },
	}
	for name, read := range reads {
		t.Run(name, func(t *testing.T) {
			eachReader(t, 100, func(t *testing.T, ctx context.Context, r *asyncio.StreamReader) {
				for i := range 2 {
					task := asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error { return read(ctx, r) }))
					asynciotest.Yield(t, ctx, 1)
					feed(r, "ab\ncd") // may wake the task
					if i == 1 {
						task.Cancel()
						feed(r, "ef")
					} else {
						feed(r, "ef")
						task.Cancel()
					}
					_, err := task.Await(ctx)
					require.ErrorIs(t, err, asyncio.ErrCancelled)
					gives(t, "ab\ncdef")(r.ReadExactly(ctx, 7))
				}
			})
		})
	}
}

func TestStreamReaderHoldsThePeerBack(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
			r, w, peer := testkit.StreamToNet(t, ctx, asyncio.WithLimit(1000))
			data := bytes.Repeat([]byte("0123456789"), 100<<10)
			sent := make(chan error, 1)
			go func() {
				_, err := peer.Write(data)
				sent <- errors.Join(err, peer.CloseWrite())
			}()
			gives(t, string(data[:1]))(r.ReadExactly(ctx, 1))
			for w.Transport().IsReading() {
				asynciotest.Yield(t, ctx, 1)
			}
			got := data[:1:1]
			p := make([]byte, 100)
			for !w.Transport().IsReading() {
				n, err := r.Read(ctx, p)
				require.NoError(t, err)
				got = append(got, p[:n]...)
			}
			all, err := r.ReadAll(ctx)
			require.NoError(t, err)
			require.True(t, bytes.Equal(data, append(got, all...)))
			require.NoError(t, <-sent)
			require.NoError(t, w.Close())
		})
	})
}

func TestStreamReaderPausesAboveTwiceTheLimit(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
			r, w, _ := testkit.StreamToNet(t, ctx, asyncio.WithLimit(10))
			reading := w.Transport().IsReading
			feed(r, strings.Repeat("x", 20))
			require.True(t, reading(), "twice the limit is not above it")
			feed(r, "x")
			require.False(t, reading())
			_, err := r.ReadExactly(ctx, 10)
			require.NoError(t, err)
			require.False(t, reading(), "11 bytes are more than the limit")
			_, err = r.ReadExactly(ctx, 1)
			require.NoError(t, err)
			require.True(t, reading())
			feed(r, strings.Repeat("x", 20))
			require.False(t, reading())
			testkit.LoopOf(ctx).CallSoon(func() {
				require.True(t, reading(), "somebody waits for more than is there")
				r.FeedEOF()
			})
			_, err = r.ReadExactly(ctx, 1000)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			require.NoError(t, w.Close())
		})
	})
}

// TestStreamReaderKeepsTheBytes compares random programs of feeds and reads with a plain
// string.
func TestStreamReaderKeepsTheBytes(t *testing.T) {
	l := asynciotest.New(t)
	rapid.Check(t, func(rt *rapid.T) {
		input := rapid.StringOfN(rapid.RuneFrom([]rune("ab\n")), 0, 20_000, -1).Draw(rt, "input")
		r := asyncio.NewStreamReader(l, rapid.IntRange(1, 5000).Draw(rt, "limit"))
		var chunks []string
		for left := input; left != ""; {
			n := rapid.IntRange(1, min(len(left), 6000)).Draw(rt, "chunk")
			chunks = append(chunks, left[:n])
			left = left[n:]
		}
		feedLater(l, r, chunks...)
		feedEOFAfter(l, r, len(chunks))
		_, err := asyncio.RunUntilComplete(l, asyncio.Do(func(ctx context.Context) error {
			return readRandomly(rt, ctx, r, input)
		}))
		require.NoError(rt, err)
	})
}

func feedEOFAfter(l *asyncio.Loop, r *asyncio.StreamReader, turns int) {
	l.CallSoon(func() {
		if turns == 0 {
			r.FeedEOF()
		} else {
			feedEOFAfter(l, r, turns-1)
		}
	})
}

// readRandomly reads the whole of input by random methods.
func readRandomly(rt *rapid.T, ctx context.Context, r *asyncio.StreamReader, input string) error {
	for !r.AtEOF() {
		var got []byte
		var err error
		switch rapid.IntRange(0, 3).Draw(rt, "method") {
		case 0:
			p := make([]byte, rapid.IntRange(1, 3000).Draw(rt, "n"))
			var n int
			n, err = r.Read(ctx, p)
			got = p[:n]
		case 1:
			n := rapid.IntRange(0, 12_000).Draw(rt, "n")
			if got, err = r.ReadExactly(ctx, n); err == nil && len(got) != n {
				rt.Fatalf("ReadExactly(%d) returned %d bytes", n, len(got))
			}
		case 2:
			if got, err = r.ReadUntil(ctx, seps("\n", "aab")...); err == nil {
				checkEndsFirst(rt, string(got), "\n", "aab")
			}
		case 3:
			before := len(input)
			if got, err = r.ReadLine(ctx); err == nil && len(got) < before {
				checkEndsFirst(rt, string(got), "\n")
			}
			var overrun *asyncio.LimitOverrunError
			if errors.As(err, &overrun) {
				return nil // the line is lost, and how much that is depends on the turn
			}
		}
		var incomplete *asyncio.IncompleteReadError
		if errors.As(err, &incomplete) {
			got = incomplete.Partial
		}
		if !strings.HasPrefix(input, string(got)) {
			rt.Fatalf("read %q, want a prefix of %q", got, input)
		}
		input = input[len(got):]
	}
	if input != "" {
		rt.Fatalf("%d bytes were lost", len(input))
	}
	return nil
}

// checkEndsFirst fails unless a separator ends s, and none ends earlier.
func checkEndsFirst(rt *rapid.T, s string, seps ...string) {
	ends := len(s) + 1
	for _, sep := range seps {
		if i := strings.Index(s, sep); i >= 0 {
			ends = min(ends, i+len(sep))
		}
	}
	if ends != len(s) {
		rt.Fatalf("%q does not end with the separator that ends first", s)
	}
}

func TestStreamReaderDoesNotAllocate(t *testing.T) {
	withoutDebug := asyncio.WithDebug(false) // which keeps a traceback for every callback
	asynciotest.InTask(t, asynciotest.New(t, withoutDebug), func(ctx context.Context) {
		l := testkit.LoopOf(ctx)
		r := asyncio.NewStreamReader(l, 64<<10)
		chunk, p := make([]byte, 1024), make([]byte, 2048)
		feedChunk := func() { r.FeedData(chunk) }
		require.Zero(t, testing.AllocsPerRun(1000, func() {
			feedChunk()
			_, _ = r.Read(ctx, p)
		}), "data is there")
		require.Zero(t, testing.AllocsPerRun(1000, func() {
			l.CallSoon(feedChunk)
			_, _ = r.Read(ctx, p)
		}), "data comes while the task waits")
	})
}
