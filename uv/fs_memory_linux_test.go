//go:build cgo

package uv_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// filePipe makes a pipe, whose ends the loop's files own.
func filePipe(t testing.TB, l *uv.Loop) (r, w *uv.File) {
	t.Helper()
	var fds [2]int
	require.NoError(t, syscall.Pipe2(fds[:], syscall.O_CLOEXEC))
	return l.FS().OpenFD(uintptr(fds[0])), l.FS().OpenFD(uintptr(fds[1]))
}

func fileWrite(t testing.TB, l *uv.Loop, f *uv.File, p []byte) (int, error) {
	t.Helper()
	return wait(t, l, func(done func(int, error)) *uv.Req { return f.Write(p, done) })
}

func TestFilePipes(t *testing.T) {
	t.Run("UV-136", func(t *testing.T) {
		l := newLoop(t)
		r, w := filePipe(t, l)
		closeFile(t, l, r)
		for _, p := range [][]byte{[]byte("x"), make([]byte, 1<<20)} {
			n, err := fileWrite(t, l, w, p)
			require.Zero(t, n)
			failed(t, err, "write", uv.EPIPE, "")
			require.ErrorIs(t, err, syscall.EPIPE)
		}
		src := openedFile(t, l, "/proc/self/exe", os.O_RDONLY)
		_, err := wait(t, l, func(done func(int64, error)) *uv.Req { return l.FS().SendFile(w, src, 0, 100, done) })
		failed(t, err, "sendfile", uv.EPIPE, "")
		closeFile(t, l, w)
		closeFile(t, l, src)
	})
	t.Run("a write that is not taken whole", func(t *testing.T) {
		for _, ctx := range []context.Context{context.Background(), t.Context()} {
			l := newLoop(t)
			r, w := filePipe(t, l)
			require.NoError(t, syscall.SetNonblock(int(w.Fd()), true))
			sent := bytes.Repeat([]byte("0123456789"), 100_000)
			var n int
			var failure error
			w.WithContext(ctx).WriteV(pieces(sent, 1, 1000, 0, 3333, 123, 456), -1, func(m int, err error) { n, failure = m, err })
			until(t, l, "the pipe is full", func() bool { return failure != nil })
			failed(t, failure, "write", uv.EAGAIN, "")
			require.Positive(t, n)
			require.Less(t, n, len(sent))
			got := make([]byte, n)
			for read := 0; read < n; {
				m, err := wait(t, l, func(done func(int, error)) *uv.Req { return r.Read(got[read:], done) })
				require.NoError(t, err)
				read += m
			}
			require.Equal(t, sent[:n], got)
			closeFile(t, l, w)
			_, err := wait(t, l, func(done func(int, error)) *uv.Req { return r.Read(got, done) })
			require.Equal(t, io.EOF, err)
			closeFile(t, l, r)
		}
	})
	t.Run("a limit of the file's size", func(t *testing.T) { require.Equal(t, "5000 EFBIG\n", inChild(t, "file limit")) })
	t.Run("without standard files", func(t *testing.T) {
		dir := t.TempDir()
		inChild(t, "file stdio", dir)
		require.FileExists(t, filepath.Join(dir, "ok"))
	})
	t.Run("a close waits for a read", func(t *testing.T) {
		l := newLoop(t)
		r, w := filePipe(t, l)
		fd := int(r.Fd())
		var log []string
		r.Read(make([]byte, 8), func(n int, err error) { log = append(log, "read") })
		r.Close(func(err error) {
			require.NoError(t, err)
			log = append(log, "close")
		})
		require.NoError(t, l.Poll(0))
		require.NoError(t, syscall.SetNonblock(fd, false), "the descriptor is open while a request has it")
		_, err := fileWrite(t, l, w, []byte("x"))
		require.NoError(t, err)
		until(t, l, "both", func() bool { return len(log) == 2 })
		require.Equal(t, []string{"read", "close"}, log)
		closeFile(t, l, w)
	})
	t.Run("a context ends while a thread reads", func(t *testing.T) {
		l := newLoop(t)
		boom := errors.New("boom")
		r, w := filePipe(t, l)
		ctx, cancel := context.WithCancelCause(t.Context())
		p := []byte("mine")
		var told error
		req := r.WithContext(ctx).Read(p, func(n int, err error) {
			require.Zero(t, n)
			told = err
		})
		until(t, l, "the read runs", func() bool { return req.Cancel() != nil || restart(t, &req, r.WithContext(ctx), p, &told) })
		told = nil
		cancel(boom)
		until(t, l, "the end of the context", func() bool { return told != nil })
		require.Equal(t, boom, told)
		_, err := fileWrite(t, l, w, []byte("late"))
		require.NoError(t, err)
		_, err = l.Run(uv.RunDefault)
		require.NoError(t, err)
		require.Equal(t, "mine", string(p), "what comes late is not written there")
		closeFile(t, l, r)
		closeFile(t, l, w)
	})
	t.Run("a context that has ended", func(t *testing.T) {
		l := newLoop(t)
		boom := errors.New("boom")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(boom)
		r, w := filePipe(t, l)
		require.Equal(t, boom, do(t, l, r.WithContext(ctx).Sync))
		require.Equal(t, boom, do(t, l, r.WithContext(ctx).Close))
		closeFile(t, l, r)
		closeFile(t, l, w)
	})
}

// restart begins a read again that was cancelled before it ran.
func restart(t testing.TB, req **uv.Req, f *uv.File, p []byte, told *error) bool {
	*req = f.Read(p, func(_ int, err error) { *told = err })
	return false
}

// childFileLimit writes more than the limit of a file's size.
func childFileLimit() error {
	limit := syscall.Rlimit{Cur: 5000, Max: 5000}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "uv")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l, err := uv.NewLoop()
	if err != nil {
		return err
	}
	l.FS().Open(filepath.Join(dir, "f"), os.O_RDWR|os.O_CREATE, 0o600, func(f *uv.File, err error) {
		f.WriteV([][]byte{make([]byte, 3000), make([]byte, 3000)}, 0, func(n int, err error) {
			var e *uv.Error
			errors.As(err, &e)
			fmt.Println(n, e.Errno.Name())
			f.Close(nil)
		})
	})
	_, err = l.Run(uv.RunDefault)
	return errors.Join(err, l.Close())
}

// childFilesWithoutStdio has closed its standard files, whose numbers libuv gets then.
func childFilesWithoutStdio(args []string) error {
	for fd := range 3 {
		if err := syscall.Close(fd); err != nil {
			return err
		}
	}
	dir := args[0]
	l, err := uv.NewLoop()
	if err != nil {
		return err
	}
	var s uv.FSSync
	f, err := s.CreateTemp(dir + "/fXXXXXX")
	if err != nil {
		return err
	}
	_, writeErr := f.Write([]byte("text"))
	var all []error
	for range 3 { // each is left open
		l.FS().Open(f.Name(), os.O_RDWR, 0, func(_ *uv.File, err error) { all = append(all, err) })
		l.FS().CopyFile(f.Name(), dir+"/copy", 0, func(err error) { all = append(all, err) })
		l.FS().ReadDir(dir, func(_ []fs.DirEntry, err error) { all = append(all, err) })
		l.FS().OpenDir(dir, func(d *uv.Dir, err error) { d.Close(func(err error) { all = append(all, err) }) })
		l.FS().CreateTemp(dir+"/tXXXXXX", func(f *uv.File, err error) { f.Close(func(err error) { all = append(all, err) }) })
		if _, err := l.Run(uv.RunDefault); err != nil {
			return err
		}
		all = append(all, s.CopyFile(f.Name(), dir+"/copy", 0))
	}
	if len(all) != 18 {
		return errors.New("not all were told")
	}
	return errors.Join(writeErr, errors.Join(all...), f.Close(), l.Close(), os.WriteFile(dir+"/ok", nil, 0o600))
}

func TestFileMemory(t *testing.T) {
	t.Run("while the collector runs", func(t *testing.T) {
		l := newLoop(t)
		path := filepath.Join(t.TempDir(), "f")
		f := openedFile(t, l, path, os.O_RDWR|os.O_CREATE)
		text := bytes.Repeat([]byte("0123456789abcdef"), 4096)
		_, err := fileWrite(t, l, f, text)
		require.NoError(t, err)
		over := 0
		for i := range 200 {
			p := make([]byte, 64+i)
			f.ReadAt(p, int64(16*i), func(n int, err error) {
				require.NoError(t, err)
				require.Equal(t, text[16*i:16*i+n], p)
				over++
			})
			if i%20 == 0 {
				runtime.GC()
			}
		}
		until(t, l, "all reads", func() bool { return over == 200 })
		closeFile(t, l, f)
	})
	t.Run("that is not Go's", func(t *testing.T) {
		l := newLoop(t)
		p, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		require.NoError(t, err)
		defer func() { require.NoError(t, syscall.Munmap(p)) }()
		f := openedFile(t, l, filepath.Join(t.TempDir(), "f"), os.O_RDWR|os.O_CREATE)
		copy(p, "text")
		_, err = fileWrite(t, l, f, p[:4])
		require.NoError(t, err)
		n, err := wait(t, l, func(done func(int, error)) *uv.Req { return f.ReadV([][]byte{p[10:12], p[20:30]}, 0, done) })
		require.NoError(t, err)
		require.Equal(t, 4, n)
		require.Equal(t, "text", string(p[10:12])+string(p[20:22]))
		closeFile(t, l, f)
	})
	t.Run("of a loop that is forgotten", func(t *testing.T) { require.Equal(t, "alive\n", inChild(t, "forgotten read")) })
	t.Run("no buffers", func(t *testing.T) {
		l := newLoop(t)
		f := openedFile(t, l, filepath.Join(t.TempDir(), "f"), os.O_RDWR|os.O_CREATE)
		for _, begin := range []func(bufs [][]byte, off int64, done func(int, error)) *uv.Req{f.ReadV, f.WriteV} {
			_, err := wait(t, l, func(done func(int, error)) *uv.Req { return begin(nil, 0, done) })
			require.ErrorIs(t, err, uv.EINVAL)
			_, err = wait(t, l, func(done func(int, error)) *uv.Req { return begin([][]byte{{1}}, -2, done) })
			require.ErrorIs(t, err, uv.EINVAL)
			n, err := wait(t, l, func(done func(int, error)) *uv.Req { return begin([][]byte{nil, {}, nil, nil, nil, nil}, 0, done) })
			require.NoError(t, err)
			require.Zero(t, n)
		}
		for _, begin := range []func(p []byte, off int64, done func(int, error)) *uv.Req{f.ReadAt, f.WriteAt} {
			_, err := wait(t, l, func(done func(int, error)) *uv.Req { return begin([]byte{1}, -1, done) })
			require.ErrorIs(t, err, uv.EINVAL)
		}
		require.ErrorIs(t, do(t, l, func(done func(error)) *uv.Req { return f.Truncate(-1, done) }), uv.EINVAL)
		for _, c := range [][2]int64{{-1, 1}, {0, -1}} {
			_, err := wait(t, l, func(done func(int64, error)) *uv.Req { return l.FS().SendFile(f, f, c[0], c[1], done) })
			require.ErrorIs(t, err, uv.EINVAL)
		}
		closeFile(t, l, f)
	})
}

// childForgottenRead drops a loop while a thread of the pool reads for it.
func childForgottenRead() error {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		return err
	}
	func() {
		l, err := uv.NewLoop()
		if err != nil {
			panic(err)
		}
		l.FS().OpenFD(uintptr(fds[0])).Read(make([]byte, 4096), nil)
		l.Poll(0)
	}()
	for range 10 {
		runtime.GC()
		runtime.Gosched()
	}
	_, err := syscall.Write(fds[1], make([]byte, 4096))
	runtime.GC()
	fmt.Println("alive")
	return err
}

func TestSendFile(t *testing.T) {
	l := newLoop(t)
	dir := t.TempDir()
	text := bytes.Repeat([]byte("some text. "), 50_000)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "from"), text, 0o600))
	src, dst := openedFile(t, l, filepath.Join(dir, "from"), os.O_RDONLY), openedFile(t, l, filepath.Join(dir, "to"), os.O_RDWR|os.O_CREATE)
	for sent := int64(0); sent < int64(len(text)); {
		n, err := wait(t, l, func(done func(int64, error)) *uv.Req { return l.FS().SendFile(dst, src, sent, 100_000, done) })
		require.NoError(t, err)
		require.Positive(t, n)
		sent += n
	}
	n, err := wait(t, l, func(done func(int64, error)) *uv.Req { return l.FS().SendFile(dst, src, int64(len(text)), 10, done) })
	require.NoError(t, err)
	require.Zero(t, n)
	got, err := os.ReadFile(filepath.Join(dir, "to"))
	require.NoError(t, err)
	require.True(t, bytes.Equal(text, got))
	over := 0
	l.FS().SendFile(dst, src, 0, 10, func(int64, error) { over++ })
	src.Close(func(err error) { over++ })
	l.FS().SendFile(dst, src, 0, 10, func(_ int64, err error) {
		require.Equal(t, uv.ErrClosed, err)
		over++
	})
	dst.Close(func(err error) { over++ })
	l.FS().SendFile(dst, src, 0, 10, func(_ int64, err error) { require.Equal(t, uv.ErrClosed, err) })
	until(t, l, "all", func() bool { return over == 4 })

	var s uv.FSSync
	from, err := s.Open(filepath.Join(dir, "from"), os.O_RDONLY, 0)
	require.NoError(t, err)
	to, err := s.Open(filepath.Join(dir, "to"), os.O_RDWR|os.O_TRUNC, 0)
	require.NoError(t, err)
	n, err = s.SendFile(to, from, 5, 100)
	require.NoError(t, err)
	require.EqualValues(t, 100, n)
	require.NoError(t, from.Close())
	_, err = s.SendFile(to, from, 5, 100)
	require.Equal(t, uv.ErrClosed, err)
	require.NoError(t, to.Close())
}

// Goroutines use one file while one of them closes it.
func TestFileSyncShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(path, []byte("text"), 0o600))
	for range 50 {
		f, err := uv.FSSync{}.Open(path, os.O_RDONLY, 0)
		require.NoError(t, err)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for {
					p := make([]byte, 4)
					if _, err := f.ReadAt(p, 0); err != nil {
						if err != uv.ErrClosed {
							t.Error(err)
						}
						return
					}
					if string(p) != "text" {
						t.Errorf("%q", p)
					}
				}
			})
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		all.Wait()
	}
	var none uv.FileSync
	require.Equal(t, uv.ErrClosed, none.Close())
	_, err := none.Read(make([]byte, 1))
	require.Equal(t, uv.ErrClosed, err)
}
