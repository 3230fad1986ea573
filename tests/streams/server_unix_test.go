//go:build unix

package streams_test

// The file of a server's Unix socket.

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestServerSocketFile(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		serve := func(t *testing.T, l *asyncio.Loop, path string, body func(ctx context.Context, s *asyncio.Server)) {
			t.Helper()
			asynciotest.InTask(t, l, func(ctx context.Context) {
				s, err := l.CreateServer(ctx, testkit.NewEchoes, "unix", path)
				require.NoError(t, err)
				body(ctx, s)
			})
		}

		t.Run("Close removes it", func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			serve(t, asynciotest.New(t, opts...), path, func(ctx context.Context, s *asyncio.Server) {
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
			serve(t, l, path, func(context.Context, *asyncio.Server) {})
			require.FileExists(t, path)
			require.NoError(t, l.Close())
			require.NoFileExists(t, path)
		})
		t.Run("another directory at the end", func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			serve(t, asynciotest.New(t, opts...), "s", func(_ context.Context, s *asyncio.Server) {
				require.FileExists(t, filepath.Join(dir, "s"))
				t.Chdir(t.TempDir())
				s.Close()
				require.NoFileExists(t, filepath.Join(dir, "s"))
			})
		})
		t.Run("what others put in its place stays", func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			serve(t, asynciotest.New(t, opts...), path, func(_ context.Context, s *asyncio.Server) {
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
			serve(t, asynciotest.New(t, append(opts, logger)...), path, func(_ context.Context, s *asyncio.Server) {
				require.NoError(t, os.Remove(path))
				s.Close()
			})
			require.Empty(t, log.Matching(""))
		})
	})
}
