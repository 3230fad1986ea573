//go:build cgo

package uv_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

func newPipe(t testing.TB, l *uv.Loop) *uv.Pipe {
	t.Helper()
	p, err := l.NewPipe()
	require.NoError(t, err)
	return p
}

// shortDir is a directory whose name leaves room in a socket's path.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "uv")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestPipe(t *testing.T) {
	t.Run("UV-081", func(t *testing.T) { // a path fits or is refused
		if runtime.GOOS != "linux" {
			t.Skip("the longest path is Linux's")
		}
		l := newLoop(t)
		dir := shortDir(t)
		longest := filepath.Join(dir, strings.Repeat("x", 107-len(dir)-1))
		require.NoError(t, newPipe(t, l).Bind(longest))
		require.FileExists(t, longest)
		require.ErrorIs(t, newPipe(t, l).Bind(longest+"x"), uv.ENAMETOOLONG)
		require.ErrorIs(t, newPipe(t, l).Connect(longest+"x", func(error) {}), uv.ENAMETOOLONG)
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.ErrorIs(t, newPipe(t, l).Bind(""), uv.EINVAL)
		require.ErrorIs(t, newPipe(t, l).Bind("a\x00b"), uv.EINVAL)
	})
	t.Run("UV-082", func(t *testing.T) { // paths that are taken, missing, or something else
		l := newLoop(t)
		dir := shortDir(t)
		path := filepath.Join(dir, "s")
		require.NoError(t, newPipe(t, l).Bind(path))
		require.ErrorIs(t, newPipe(t, l).Bind(path), uv.EADDRINUSE)
		connect := func(path string) (got error) {
			p := newPipe(t, l)
			done := false
			require.NoError(t, p.Connect(path, func(err error) { got = err; done = true }))
			require.False(t, done)
			until(t, l, "the answer", func() bool { return done })
			return got
		}
		require.ErrorIs(t, connect(filepath.Join(dir, "missing")), os.ErrNotExist)
		file := filepath.Join(dir, "file")
		require.NoError(t, os.WriteFile(file, nil, 0o600))
		require.ErrorIs(t, connect(file), syscall.ECONNREFUSED)
	})
	for name, path := range map[string]string{"path": "s", "abstract": "@asyncio-uv-test"} {
		t.Run(name, func(t *testing.T) {
			if path[0] == '@' && runtime.GOOS != "linux" {
				t.Skip("the abstract name space is Linux's")
			}
			l := newLoop(t)
			if path[0] != '@' {
				path = filepath.Join(shortDir(t), path)
			}
			ln := newPipe(t, l)
			require.NoError(t, ln.Bind(path))
			var got []byte
			var end error
			require.NoError(t, ln.Listen(8, func(c *uv.Pipe, err error) {
				require.NoError(t, err)
				local, err := c.LocalAddr()
				require.NoError(t, err)
				require.Equal(t, path, local)
				require.NoError(t, c.ReadStart(func(b []byte, err error) { got = append(got, b...); end = err }))
			}))
			c, connected := newPipe(t, l), false
			require.NoError(t, c.Connect(path, func(err error) { connected = err == nil }))
			until(t, l, "a connection", func() bool { return connected })
			remote, err := c.RemoteAddr()
			require.NoError(t, err)
			require.Equal(t, path, remote)
			data := pattern(200_000)
			require.NoError(t, c.Write(data[:10], nil))
			require.NoError(t, c.Write(data[10:], nil))
			require.NoError(t, c.CloseWrite(nil))
			until(t, l, "the end", func() bool { return end != nil })
			require.ErrorIs(t, end, io.EOF)
			require.True(t, bytes.Equal(data, got))
			ln.Close()
			if path[0] != '@' {
				require.NoFileExists(t, path)
			}
		})
	}
	t.Run("UV-086", func(t *testing.T) { // both ends of pipes, files of Go's as the peers
		l := newLoop(t)
		data := pattern(1 << 20)
		there, err := uv.PipePair(true, false)
		require.NoError(t, err)
		back, err := uv.PipePair(false, true)
		require.NoError(t, err)
		r, w := newPipe(t, l), newPipe(t, l)
		require.NoError(t, r.OpenFD(there[0]))
		require.NoError(t, w.OpenFD(back[1]))
		go func() {
			in, out := os.NewFile(back[0], "in"), os.NewFile(there[1], "out")
			defer in.Close()
			defer out.Close()
			all, err := io.ReadAll(io.LimitReader(in, int64(len(data))))
			assert.NoError(t, err)
			_, err = out.Write(all)
			assert.NoError(t, err)
		}()
		var got []byte
		var end error
		require.NoError(t, r.ReadStart(func(b []byte, err error) { got = append(got, b...); end = err }))
		require.NoError(t, w.Write(data, nil))
		until(t, l, "all bytes back", func() bool { return end != nil })
		require.ErrorIs(t, end, io.EOF)
		require.True(t, bytes.Equal(data, got))
	})
	t.Run("descriptors from outside, a Go socket as the peer", func(t *testing.T) {
		l := newLoop(t)
		fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		f := os.NewFile(uintptr(fds[1]), "peer")
		peer, err := net.FileConn(f)
		require.NoError(t, err)
		f.Close()
		defer peer.Close()
		p := newPipe(t, l)
		require.NoError(t, p.OpenFD(uintptr(fds[0])))
		data := pattern(1 << 20)
		go func() {
			back, err := io.ReadAll(io.LimitReader(peer, int64(len(data))))
			assert.NoError(t, err)
			_, err = peer.Write(back)
			assert.NoError(t, err)
		}()
		var got []byte
		require.NoError(t, p.ReadStart(func(b []byte, err error) { got = append(got, b...) }))
		require.NoError(t, p.Write(data, nil))
		until(t, l, "all bytes back", func() bool { return len(got) == len(data) })
		require.True(t, bytes.Equal(data, got))
		require.ErrorIs(t, newPipe(t, l).OpenFD(openFile(t)), uv.EINVAL)
	})
	t.Run("both ends of a pipe", func(t *testing.T) {
		l := newLoop(t)
		var fds [2]int
		require.NoError(t, syscall.Pipe2(fds[:], syscall.O_CLOEXEC))
		r, w := newPipe(t, l), newPipe(t, l)
		require.NoError(t, r.OpenFD(uintptr(fds[0])))
		require.NoError(t, w.OpenFD(uintptr(fds[1])))
		require.True(t, r.IsReadable())
		require.False(t, r.IsWritable())
		var got []byte
		var end error
		require.NoError(t, r.ReadStart(func(b []byte, err error) { got = append(got, b...); end = err }))
		data := pattern(300_000)
		require.NoError(t, w.Write(data, nil))
		until(t, l, "all bytes", func() bool { return len(got) == len(data) })
		require.True(t, bytes.Equal(data, got))
		w.Close()
		until(t, l, "the end", func() bool { return end != nil })
		require.ErrorIs(t, end, io.EOF)
		var failed error
		require.NoError(t, r.Write([]byte("x"), func(err error) { failed = err }))
		until(t, l, "the failure", func() bool { return failed != nil })
		require.ErrorIs(t, failed, syscall.EPIPE)
	})
}

// A handle connects or listens, not both.
func TestPipeListenWhileConnecting(t *testing.T) {
	l := newLoop(t)
	path := shortDir(t) + "/socket"
	p := newPipe(t, l)
	require.NoError(t, p.Bind(path))
	var connects []error
	require.NoError(t, p.Connect(path+"-nobody", func(err error) { connects = append(connects, err) }))
	accepted := 0
	onConn := func(c *uv.Pipe, err error) {
		require.NoError(t, err)
		accepted++
	}
	require.ErrorIs(t, p.Listen(8, onConn), uv.EINVAL)
	until(t, l, "the failure", func() bool { return len(connects) == 1 })
	require.ErrorIs(t, connects[0], uv.ENOENT)
	require.NoError(t, p.Listen(8, onConn))
	c, err := net.Dial("unix", path)
	require.NoError(t, err)
	defer c.Close()
	until(t, l, "a connection", func() bool { return accepted == 1 })
	require.NoError(t, p.AcceptStop())
}

// The context of a connect that is over has no say in the next one.
func TestPipeConnectAfterContext(t *testing.T) {
	l := newLoop(t)
	path := shortDir(t) + "/socket"
	ln := newPipe(t, l)
	require.NoError(t, ln.Bind(path))
	require.NoError(t, ln.Listen(8, func(*uv.Pipe, error) {}))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	p := newPipe(t, l)
	var first, second []error
	fd := backend(t, l)
	require.NoError(t, l.Poll(0)) // from here on a post makes it readable
	require.NoError(t, p.ConnectContext(ctx, path+"-nobody", func(err error) {
		first = append(first, err)
		require.NoError(t, p.Connect(path, func(err error) { second = append(second, err) }))
	}))
	require.NoError(t, p.CloseWrite(func(error) {}))
	cancel()
	require.True(t, readable(t, fd, patience), "the end of the context does not reach the loop")
	require.NoError(t, l.Poll(0))
	require.Len(t, first, 1)
	require.ErrorIs(t, first[0], uv.ENOENT)
	until(t, l, "the second connect", func() bool { return len(second) == 1 })
	require.NoError(t, second[0])
}
