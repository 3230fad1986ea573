//go:build cgo

package uv_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// got is what a request of the file system has told.
type got[T any] struct {
	value T
	err   error
	calls int
}

// wait runs the loop until the request that begin makes has told.
func wait[T any](t testing.TB, l *uv.Loop, begin func(done func(T, error)) *uv.Req) (T, error) {
	t.Helper()
	var g got[T]
	r := begin(g.done)
	require.Equal(t, uv.FSReq, r.Type())
	require.Equal(t, l, r.Loop())
	require.Zero(t, g.calls, "told inside the call")
	until(t, l, "a request of the file system", func() bool { return g.calls > 0 })
	require.Equal(t, 1, g.calls)
	require.ErrorIs(t, r.Cancel(), uv.EBUSY)
	return g.value, g.err
}

func (g *got[T]) done(value T, err error) { g.value, g.err, g.calls = value, err, g.calls+1 }

// do is wait for a request that brings nothing.
func do(t testing.TB, l *uv.Loop, begin func(done func(error)) *uv.Req) error {
	t.Helper()
	_, err := wait(t, l, func(done func(struct{}, error)) *uv.Req {
		return begin(func(err error) { done(struct{}{}, err) })
	})
	return err
}

func openedFile(t testing.TB, l *uv.Loop, path string, flag int) *uv.File {
	t.Helper()
	f, err := wait(t, l, func(done func(*uv.File, error)) *uv.Req { return l.FS().Open(path, flag, 0o644, done) })
	require.NoError(t, err)
	return f
}

func closeFile(t testing.TB, l *uv.Loop, f *uv.File) {
	t.Helper()
	require.NoError(t, do(t, l, f.Close))
}

// failed checks an error of the file system.
func failed(t testing.TB, err error, op string, code uv.Errno, path string) {
	t.Helper()
	var e *uv.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, uv.Error{Op: op, Addr: path, Errno: code}, *e)
}

func TestFiles(t *testing.T) {
	t.Run("UV-127", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "f")
		t.Run("async", func(t *testing.T) { roundTrip(t, path) })
		t.Run("sync", func(t *testing.T) { roundTripSync(t, path) })
	})
	t.Run("UV-128", func(t *testing.T) {
		l := newLoop(t)
		dir := t.TempDir()
		file, missing := filepath.Join(dir, "file"), filepath.Join(dir, "missing")
		require.NoError(t, os.WriteFile(file, nil, 0o600))
		var s uv.FSSync

		f, err := wait(t, l, func(done func(*uv.File, error)) *uv.Req { return l.FS().Open(missing, os.O_RDONLY, 0, done) })
		require.Nil(t, f)
		failed(t, err, "open", uv.ENOENT, missing)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorIs(t, err, syscall.ENOENT)
		opened, again := s.Open(missing, os.O_RDONLY, 0)
		require.Nil(t, opened)
		require.Equal(t, err, again)

		err = do(t, l, func(done func(error)) *uv.Req { return l.FS().Mkdir(dir, 0o700, done) })
		failed(t, err, "mkdir", uv.EEXIST, dir)
		require.ErrorIs(t, err, fs.ErrExist)
		require.Equal(t, err, s.Mkdir(dir, 0o700))

		list, err := wait(t, l, func(done func([]fs.DirEntry, error)) *uv.Req { return l.FS().ReadDir(file, done) })
		require.Nil(t, list)
		failed(t, err, "scandir", uv.ENOTDIR, file)
		_, again = s.ReadDir(file)
		require.Equal(t, err, again)
	})
}

func roundTrip(t *testing.T, path string) {
	l := newLoop(t)
	f := openedFile(t, l, path, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	require.Equal(t, path, f.Name())
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_GETFD, 0)
	require.Zero(t, errno)
	require.NotZero(t, flags&syscall.FD_CLOEXEC)
	rw := func(begin func(p []byte, done func(int, error)) *uv.Req, p []byte) (int, error) {
		return wait(t, l, func(done func(int, error)) *uv.Req { return begin(p, done) })
	}
	at := func(begin func(p []byte, off int64, done func(int, error)) *uv.Req, off int64) func(p []byte, done func(int, error)) *uv.Req {
		return func(p []byte, done func(int, error)) *uv.Req { return begin(p, off, done) }
	}
	v := func(begin func(bufs [][]byte, off int64, done func(int, error)) *uv.Req, off int64, sizes ...int) func(p []byte, done func(int, error)) *uv.Req {
		return func(p []byte, done func(int, error)) *uv.Req { return begin(pieces(p, sizes...), off, done) }
	}
	n, err := rw(f.Write, []byte("hello "))
	require.Equal(t, []any{6, nil}, []any{n, err})
	n, err = rw(v(f.WriteV, -1, 2, 0, 1), []byte("world"))
	require.Equal(t, []any{5, nil}, []any{n, err})
	n, err = rw(at(f.WriteAt, 0), []byte("H"))
	require.Equal(t, []any{1, nil}, []any{n, err})
	n, err = rw(v(f.WriteV, 6, 1, 1, 1, 1, 1, 1), []byte("World!"))
	require.Equal(t, []any{6, nil}, []any{n, err})
	info, err := wait(t, l, f.Stat)
	require.NoError(t, err)
	require.EqualValues(t, 12, info.Size())
	require.Equal(t, filepath.Base(path), info.Name())
	buf := make([]byte, 20)
	n, err = rw(f.Read, buf)
	require.NoError(t, err)
	require.Equal(t, "!", string(buf[:n]), "the position is behind what was written there")
	n, err = rw(f.Read, buf)
	require.Equal(t, []any{0, io.EOF}, []any{n, err})
	n, err = rw(f.Read, nil)
	require.Equal(t, []any{0, nil}, []any{n, err})
	n, err = rw(at(f.ReadAt, 6), buf)
	require.NoError(t, err)
	require.Equal(t, "World!", string(buf[:n]))
	n, err = rw(v(f.ReadV, 0, 1, 0, 2, 3, 1), buf[:8])
	require.NoError(t, err)
	require.Equal(t, "Hello Wo", string(buf[:n]))
	require.NoError(t, do(t, l, f.Sync))
	require.NoError(t, do(t, l, f.Datasync))
	require.NoError(t, do(t, l, func(done func(error)) *uv.Req { return f.Truncate(5, done) }))
	closeFile(t, l, f)
	require.Equal(t, uv.ErrClosed, do(t, l, f.Close))
	_, err = rw(f.Read, buf)
	require.Equal(t, uv.ErrClosed, err)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "Hello", string(text))
	second := openedFile(t, l, path, os.O_RDWR|os.O_APPEND)
	n, err = rw(v(second.WriteV, -1, 1, 1), []byte(", again"))
	require.Equal(t, []any{7, nil}, []any{n, err})
	n, err = rw(v(second.ReadV, -1, 1), buf)
	require.Equal(t, []any{0, io.EOF}, []any{n, err})
	closeFile(t, l, second)
}

// pieces cuts p at the sizes; the rest is one more.
func pieces(p []byte, sizes ...int) (bufs [][]byte) {
	for _, n := range sizes {
		bufs = append(bufs, p[:n])
		p = p[n:]
	}
	return append(bufs, p)
}

func roundTripSync(t *testing.T, path string) {
	var s uv.FSSync
	f, err := s.Open(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	require.NoError(t, err)
	require.Equal(t, path, f.Name())
	n, err := f.Write([]byte("hello "))
	require.Equal(t, []any{6, nil}, []any{n, err})
	n, err = f.WriteV(pieces([]byte("world"), 2, 0, 1), -1)
	require.Equal(t, []any{5, nil}, []any{n, err})
	n, err = f.WriteAt([]byte("H"), 0)
	require.Equal(t, []any{1, nil}, []any{n, err})
	n, err = f.WriteV(pieces([]byte("World!"), 1, 1, 1, 1, 1, 1), 6)
	require.Equal(t, []any{6, nil}, []any{n, err})
	info, err := f.Stat()
	require.NoError(t, err)
	require.EqualValues(t, 12, info.Size())
	buf := make([]byte, 20)
	n, err = f.Read(buf)
	require.NoError(t, err)
	require.Equal(t, "!", string(buf[:n]))
	n, err = f.Read(buf)
	require.Equal(t, []any{0, io.EOF}, []any{n, err})
	n, err = f.ReadAt(buf, 6)
	require.Equal(t, []any{6, io.EOF}, []any{n, err})
	n, err = f.ReadV(pieces(buf[:8], 1, 0, 2, 3, 1), 0)
	require.NoError(t, err)
	require.Equal(t, "Hello Wo", string(buf[:n]))
	require.NoError(t, f.Sync())
	require.NoError(t, f.Datasync())
	require.NoError(t, f.Truncate(5))
	require.NoError(t, f.Close())
	require.Equal(t, uv.ErrClosed, f.Close())
	_, err = f.Read(buf)
	require.Equal(t, uv.ErrClosed, err)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "Hello", string(text))
}

// stuckPool has every thread of the pool wait to open a FIFO. release lets them go on.
func stuckPool(t testing.TB, l *uv.Loop) (stuck []*uv.Req, release func()) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	over := 0
	begin := func() *uv.Req {
		return l.FS().Open(path, os.O_RDONLY, 0, func(f *uv.File, err error) {
			if errors.Is(err, uv.ECANCELED) {
				return
			}
			require.NoError(t, err)
			f.Close(func(err error) {
				require.NoError(t, err)
				over++
			})
		})
	}
	for range uv.ThreadPoolSize() {
		stuck = append(stuck, begin())
	}
	until(t, l, "all threads are stuck", func() bool {
		all := true
		for i, r := range stuck {
			if r.Cancel() == nil { // it had not begun
				stuck[i] = begin()
				all = false
			}
		}
		return all
	})
	return stuck, func() {
		w, err := os.OpenFile(path, os.O_WRONLY, 0)
		require.NoError(t, err)
		defer w.Close()
		until(t, l, "the FIFOs are open, and closed", func() bool { return over == len(stuck) })
	}
}

func TestFileRequests(t *testing.T) {
	t.Run("without a callback", func(t *testing.T) {
		l := newLoop(t)
		dir := t.TempDir()
		path := filepath.Join(dir, "f")
		before := len(descriptors())
		l.FS().Open(path, os.O_RDWR|os.O_CREATE, 0o600, nil)
		l.FS().Stat(dir, nil)
		l.FS().Mkdir(filepath.Join(dir, "d"), 0o700, nil)
		_, err := l.Run(uv.RunDefault)
		require.NoError(t, err)
		require.Len(t, descriptors(), before, "what was opened is closed")
		f := openedFile(t, l, path, os.O_RDWR)
		f.Write([]byte("text"), nil)
		f.Close(nil)
		_, err = l.Run(uv.RunDefault)
		require.NoError(t, err)
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, "text", string(text))
	})
	t.Run("bad paths", func(t *testing.T) {
		l := newLoop(t)
		for path, code := range map[string]uv.Errno{
			"a\x00b": uv.EINVAL, strings.Repeat("x", 4096): uv.ENAMETOOLONG, strings.Repeat("x/", 2047) + "x": uv.ENOENT,
			strings.Repeat("x", 256): uv.ENAMETOOLONG, "": uv.ENOENT, strings.Repeat("x", 1<<20): uv.ENAMETOOLONG,
		} {
			_, err := wait(t, l, func(done func(fs.FileInfo, error)) *uv.Req { return l.FS().Stat(path, done) })
			failed(t, err, "stat", code, path)
			_, err = uv.FSSync{}.Stat(path)
			failed(t, err, "stat", code, path)
			err = do(t, l, func(done func(error)) *uv.Req { return l.FS().Rename(t.TempDir(), path, done) })
			require.ErrorIs(t, err, code)
		}
	})
	t.Run("a loop that is closed", func(t *testing.T) {
		l := newLoop(t)
		f := openedFile(t, l, t.TempDir(), os.O_RDONLY)
		require.NoError(t, l.Close())
		told := func(any, error) { t.Error("told") }
		r := l.FS().Stat("/", func(i fs.FileInfo, err error) { told(i, err) })
		require.Equal(t, uv.ErrClosed, r.Cancel())
		require.Equal(t, uv.FSReq, r.Type())
		r = f.Stat(func(i fs.FileInfo, err error) { told(i, err) })
		require.Equal(t, uv.ErrClosed, r.Cancel())
		r = f.Close(func(err error) { told(nil, err) })
		require.Equal(t, uv.ErrClosed, r.Cancel())
		require.Equal(t, uv.ErrClosed, f.Close(nil).Cancel())
		require.ErrorIs(t, syscall.Close(int(f.Fd())), syscall.EBADF, "it is closed")
	})
	t.Run("a close waits for what was begun", func(t *testing.T) {
		l := newLoop(t)
		path := filepath.Join(t.TempDir(), "f")
		for range 50 {
			f := openedFile(t, l, path, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
			var order []string
			for range 20 {
				f.WriteAt([]byte("x"), 0, func(n int, err error) {
					require.NoError(t, err)
					order = append(order, "write")
				})
			}
			f.Close(func(err error) {
				require.NoError(t, err)
				order = append(order, "close")
			})
			f.Stat(func(_ fs.FileInfo, err error) { require.Equal(t, uv.ErrClosed, err) })
			until(t, l, "the close", func() bool { return len(order) == 21 })
			require.Equal(t, "close", order[20])
		}
	})
	t.Run("a close that was cancelled", func(t *testing.T) {
		l := newLoop(t)
		path := filepath.Join(t.TempDir(), "f")
		f := openedFile(t, l, path, os.O_RDWR|os.O_CREATE)
		_, release := stuckPool(t, l)
		var first, second error
		waiting, closing := f.Stat(nil), f.Close(func(err error) { first = err })
		require.NoError(t, closing.Cancel(), "it waits for the other one")
		require.NoError(t, closing.Cancel())
		closing = f.Close(func(err error) { second = err })
		require.NoError(t, waiting.Cancel())
		until(t, l, "two requests are over", func() bool { return first != nil && l.Poll(0) == nil })
		require.ErrorIs(t, first, context.Canceled)
		require.NoError(t, closing.Cancel(), "it waits for a thread")
		until(t, l, "the close is cancelled", func() bool { return second != nil })
		failed(t, second, "close", uv.ECANCELED, path)
		release()
		_, err := wait(t, l, f.Stat)
		require.NoError(t, err, "the file is open")
		closeFile(t, l, f)
	})
	t.Run("Shutdown lets files close", func(t *testing.T) {
		l := newLoop(t)
		before := len(descriptors())
		f := openedFile(t, l, filepath.Join(t.TempDir(), "f"), os.O_RDWR|os.O_CREATE)
		closed := 0
		for range 100 {
			f.Stat(nil)
		}
		f.Close(func(err error) {
			require.NoError(t, err)
			closed++
		})
		require.NoError(t, l.Shutdown(t.Context()))
		require.Equal(t, 1, closed)
		require.Less(t, len(descriptors()), before)
	})
	t.Run("UV-134", func(t *testing.T) {
		l := newLoop(t)
		stuck, release := stuckPool(t, l)
		for _, r := range stuck {
			require.ErrorIs(t, r.Cancel(), uv.EBUSY)
		}
		calls := 0
		var waiting []*uv.Req
		for range 100 {
			waiting = append(waiting, l.FS().Stat("/", func(_ fs.FileInfo, err error) {
				failed(t, err, "stat", uv.ECANCELED, "/")
				require.ErrorIs(t, err, context.Canceled)
				calls++
			}))
		}
		for _, r := range waiting {
			require.NoError(t, r.Cancel())
			require.NoError(t, r.Cancel())
		}
		require.Zero(t, calls)
		until(t, l, "what was cancelled is told", func() bool { return calls == 100 })
		for _, r := range stuck {
			require.ErrorIs(t, r.Cancel(), uv.EBUSY)
		}
		release()
		require.Equal(t, 100, calls)
	})
}

func TestFileContexts(t *testing.T) {
	boom := errors.New("boom")
	t.Run("UV-135", func(t *testing.T) {
		l, other := newLoop(t), newLoop(t)
		dir := t.TempDir()
		before := len(descriptors())
		effects := func() int {
			list, err := os.ReadDir(dir)
			require.NoError(t, err)
			return len(list) + len(descriptors())
		}
		for _, c := range []struct {
			what  string
			begin func(f uv.FS, done func(any, error)) *uv.Req
		}{
			{"open", func(f uv.FS, done func(any, error)) *uv.Req {
				return f.Open(filepath.Join(dir, "f"), os.O_RDWR|os.O_CREATE, 0o600, func(v *uv.File, err error) { done(v, err) })
			}},
			{"mkstemp", func(f uv.FS, done func(any, error)) *uv.Req {
				return f.CreateTemp(filepath.Join(dir, "tXXXXXX"), func(v *uv.File, err error) { done(v, err) })
			}},
			{"mkdtemp", func(f uv.FS, done func(any, error)) *uv.Req {
				return f.MkdirTemp(filepath.Join(dir, "tXXXXXX"), func(v string, err error) { done(nil, err) })
			}},
			{"opendir", func(f uv.FS, done func(any, error)) *uv.Req {
				return f.OpenDir(dir, func(v *uv.Dir, err error) { done(v, err) })
			}},
		} {
			ctx, cancel := context.WithCancelCause(t.Context())
			var told []error
			was := effects()
			c.begin(l.FS().WithContext(ctx), func(v any, err error) {
				require.Empty(t, v)
				told = append(told, err)
			})
			until(t, other, "its effect", func() bool { return effects() > was })
			cancel(boom)
			until(t, l, c.what, func() bool { return len(told) > 0 })
			require.Equal(t, []error{boom}, told, c.what)
			_, err := l.Run(uv.RunDefault)
			require.NoError(t, err)
			require.Len(t, descriptors(), before, c.what)
		}
		list, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, list, 1, "what is temporary is removed")
	})
}
