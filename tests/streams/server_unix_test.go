//go:build unix

package streams_test

// The file of a server's Unix socket.

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// serveUnix runs body with a server on path.
func serveUnix(t *testing.T, l *asyncio.Loop, path string, body func(ctx context.Context, s *asyncio.Server)) {
	t.Helper()
	asynciotest.InTask(t, l, func(ctx context.Context) {
		s, err := l.CreateServer(ctx, testkit.NewEchoes, "unix", path)
		require.NoError(t, err)
		body(ctx, s)
	})
}

// leaveSocketFile leaves the file of a socket as a crash would.
func leaveSocketFile(t *testing.T, path string) {
	t.Helper()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	require.NoError(t, err)
	ln.SetUnlinkOnClose(false)
	require.NoError(t, ln.Close())
	require.FileExists(t, path)
}

func TestServerSocketFile(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {

		t.Run("Close removes it", func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			serveUnix(t, asynciotest.New(t, opts...), path, func(ctx context.Context, s *asyncio.Server) {
				require.FileExists(t, path)
				s.Close()
				require.NoFileExists(t, path)
				again, err := s.Loop().CreateServer(ctx, testkit.NewEchoes, "unix", path)
				require.NoError(t, err)
				s.Close()
				require.FileExists(t, path, "the second Close of the first server")
				again.Close()
				require.NoFileExists(t, path)
			})
		})
		t.Run("Close of the loop removes it", func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			l := asynciotest.New(t, opts...)
			serveUnix(t, l, path, func(context.Context, *asyncio.Server) {})
			require.FileExists(t, path)
			require.NoError(t, l.Close())
			require.NoFileExists(t, path)
		})
		t.Run("another directory at the end", func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			serveUnix(t, asynciotest.New(t, opts...), "s", func(_ context.Context, s *asyncio.Server) {
				require.FileExists(t, filepath.Join(dir, "s"))
				t.Chdir(t.TempDir())
				s.Close()
				require.NoFileExists(t, filepath.Join(dir, "s"))
			})
		})
	})
}

func TestServerSocketFileOfAnotherServer(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		for name, away := range map[string]func(path string) error{
			"removed": os.Remove,
			"renamed": func(path string) error { return os.Rename(path, path+".old") },
		} {
			t.Run(name, func(t *testing.T) {
				l := asynciotest.New(t, opts...)
				path := filepath.Join(t.TempDir(), "s")
				asynciotest.InTask(t, l, func(ctx context.Context) {
					one, err := l.CreateServer(ctx, testkit.NewEchoes, "unix", path)
					require.NoError(t, err)
					require.NoError(t, away(path))
					two, err := l.CreateServer(ctx, testkit.NewEchoes, "unix", path)
					require.NoError(t, err)
					one.Close()
					require.FileExists(t, path)
					tr, _, err := l.CreateConnection(ctx, testkit.NewEchoes, "unix", path)
					require.NoError(t, err, "the second server is still to be reached")
					tr.Abort()
					two.Close()
					two.AbortClients()
					require.NoError(t, two.WaitClosed(ctx))
					require.NoFileExists(t, path)
				})
			})
		}
	})
}

func TestServerSocketFileInUse(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		inTask := func(t *testing.T, body func(ctx context.Context, l *asyncio.Loop, path string)) {
			l := asynciotest.New(t, opts...)
			path := filepath.Join(t.TempDir(), "s")
			asynciotest.InTask(t, l, func(ctx context.Context) { body(ctx, l, path) })
		}
		t.Run("a live server", func(t *testing.T) {
			inTask(t, func(ctx context.Context, l *asyncio.Loop, path string) {
				live, err := net.Listen("unix", path)
				require.NoError(t, err)
				_, err = l.CreateServer(ctx, testkit.NewEchoes, "unix", path)
				require.ErrorIs(t, err, syscall.EADDRINUSE)
				require.FileExists(t, path)
				require.NoError(t, live.Close())
			})
		})
		t.Run("a live server of the same loop", func(t *testing.T) {
			inTask(t, func(ctx context.Context, l *asyncio.Loop, path string) {
				live, err := l.CreateServer(ctx, testkit.NewEchoes, "unix", path)
				require.NoError(t, err)
				_, err = l.CreateServer(ctx, testkit.NewEchoes, "unix", path)
				require.ErrorIs(t, err, syscall.EADDRINUSE)
				live.Close()
				live.AbortClients()
				require.NoError(t, live.WaitClosed(ctx))
			})
		})
		t.Run("a live datagram socket", func(t *testing.T) {
			inTask(t, func(ctx context.Context, l *asyncio.Loop, path string) {
				live, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
				require.NoError(t, err)
				_, err = l.CreateServer(ctx, testkit.NewEchoes, "unix", path)
				require.ErrorIs(t, err, syscall.EADDRINUSE)
				require.FileExists(t, path)
				require.NoError(t, live.Close())
			})
		})
	})
}

func TestWithCleanupSocket(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		path := filepath.Join(t.TempDir(), "s")
		asynciotest.InTask(t, l, func(ctx context.Context) {
			handler := func(context.Context, *asyncio.StreamReader, *asyncio.StreamWriter) error { return nil }
			s, err := asyncio.StartServer(ctx, handler, "unix", path, asyncio.WithCleanupSocket(false))
			require.NoError(t, err)
			s.Close()
			require.FileExists(t, path)
		})
	})
}

// A server whose loop was closed has no file any more: its inode may be another file's.
func TestCloseOfAServerWhoseLoopWasClosed(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		path := filepath.Join(t.TempDir(), "s")
		serve := func() (*asyncio.Loop, *asyncio.Server) {
			l := asynciotest.New(t, opts...)
			var s *asyncio.Server
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var err error
				s, err = l.CreateServer(ctx, testkit.NewEchoes, "unix", path)
				require.NoError(t, err)
			})
			return l, s
		}
		first, one := serve()
		require.NoError(t, first.Close())
		require.False(t, one.IsServing())
		require.Empty(t, one.Addrs())
		second, two := serve()
		one.Close()
		require.FileExists(t, path)
		two.Close()
		require.NoError(t, second.Close())
	})
}

// angryHandler is a handler of log/slog that panics.
type angryHandler struct{ slog.Handler }

func (angryHandler) Enabled(context.Context, slog.Level) bool  { return true }
func (angryHandler) Handle(context.Context, slog.Record) error { panic("no more logs") }

func TestLoopCloseWithALoggerThatPanics(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		dir := t.TempDir()
		l := asynciotest.New(t, append(opts, asyncio.WithDebug(true), asyncio.WithLogger(slog.New(angryHandler{})))...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			for _, name := range []string{"a", "b"} {
				_, err := l.CreateServer(ctx, testkit.NewEchoes, "unix", filepath.Join(dir, name))
				require.NoError(t, err)
			}
		})
		require.NotNil(t, testkit.Recovered(func() { _ = l.Close() }))
		require.NoFileExists(t, filepath.Join(dir, "a"))
		require.NoFileExists(t, filepath.Join(dir, "b"))
	})
}

func TestUnixSockets(t *testing.T) {
	t.Run("UNX-02", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			t.Run("what others put in its place stays", func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "s")
				serveUnix(t, asynciotest.New(t, opts...), path, func(_ context.Context, s *asyncio.Server) {
					require.NoError(t, os.Remove(path))
					other, err := net.Listen("unix", path)
					require.NoError(t, err)
					s.Close()
					c, err := net.Dial("unix", path)
					require.NoError(t, err, "the other's socket")
					require.NoError(t, c.Close())
					require.NoError(t, other.Close())
				})
			})
			t.Run("gone before", func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "s")
				log, logger := testkit.RecordLog()
				serveUnix(t, asynciotest.New(t, append(opts, logger)...), path, func(_ context.Context, s *asyncio.Server) {
					require.NoError(t, os.Remove(path))
					s.Close()
				})
				require.Empty(t, log.Matching(""))
			})
		})
	})
	t.Run("UNX-03", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			inTask := func(t *testing.T, body func(ctx context.Context, l *asyncio.Loop, path string)) {
				l := asynciotest.New(t, opts...)
				path := filepath.Join(t.TempDir(), "s")
				asynciotest.InTask(t, l, func(ctx context.Context) { body(ctx, l, path) })
			}
			t.Run("of a crash", func(t *testing.T) {
				inTask(t, func(ctx context.Context, l *asyncio.Loop, path string) {
					leaveSocketFile(t, path)
					s, err := l.CreateServer(ctx, testkit.NewEchoes, "unix", path)
					require.NoError(t, err)
					s.Close()
					require.NoFileExists(t, path)
				})
			})
			t.Run("a file that is no socket", func(t *testing.T) {
				inTask(t, func(ctx context.Context, l *asyncio.Loop, path string) {
					require.NoError(t, os.WriteFile(path, []byte("precious"), 0o600))
					_, err := l.CreateServer(ctx, testkit.NewEchoes, "unix", path)
					require.ErrorIs(t, err, syscall.EADDRINUSE)
					text, err := os.ReadFile(path)
					require.NoError(t, err)
					require.Equal(t, "precious", string(text))
				})
			})
		})
	})
}
