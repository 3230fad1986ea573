//go:build cgo

package uv_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// looks keeps what an FSPoll tells, a line each.
type looks struct {
	p    *uv.FSPoll
	told []string
}

func look(t testing.TB, l *uv.Loop, path string, interval time.Duration) *looks {
	t.Helper()
	p, err := l.NewFSPoll()
	require.NoError(t, err)
	x := &looks{p: p}
	require.NoError(t, p.Start(path, interval, x.take))
	return x
}

func (x *looks) take(prev, cur fs.FileInfo, err error) {
	said := fmt.Sprint(prev.Size(), " ", cur.Size())
	var e uv.Errno
	if errors.As(err, &e) {
		said += " " + e.Name()
	}
	x.told = append(x.told, said)
}

// put makes a file at once what it shall be.
func put(t testing.TB, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path+".new", []byte(text), 0o600))
	require.NoError(t, os.Rename(path+".new", path))
}

func TestFSPoll(t *testing.T) {
	t.Run("UV-139", func(t *testing.T) {
		l := newLoop(t)
		path := filepath.Join(t.TempDir(), "file")
		const interval = 50 * time.Millisecond
		x := look(t, l, path, interval)
		require.Equal(t, uv.FSPollHandle, x.p.Type())
		require.True(t, x.p.IsActive())
		require.Empty(t, x.told, "told inside the call")
		next := func(what, want string) {
			t.Helper()
			n := len(x.told)
			until(t, l, what, func() bool { return len(x.told) > n })
			require.Equal(t, want, x.told[n])
		}
		next("that there is none", "0 0 ENOENT")
		put(t, path, "abc")
		next("its creation", "0 3")
		put(t, path, "abcde")
		next("its change", "3 5")
		require.NoError(t, os.Remove(path))
		next("its end", "5 0 ENOENT")
		put(t, path, "a")
		next("its return", "5 1")
		began := time.Now()
		for time.Since(began) < 3*interval { // each once
			require.NoError(t, l.Poll(interval))
		}
		require.Len(t, x.told, 5)
	})
	t.Run("what makes a difference", func(t *testing.T) {
		l := newLoop(t)
		path := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(path, []byte("abc"), 0o600))
		x := look(t, l, path, time.Millisecond)
		prevs, curs := []*uv.Stat{}, []*uv.Stat{}
		require.NoError(t, x.p.Stop())
		require.NoError(t, x.p.Start(path, 0, func(prev, cur fs.FileInfo, err error) {
			require.NoError(t, err)
			require.Equal(t, "file", cur.Name())
			prevs, curs = append(prevs, prev.Sys().(*uv.Stat)), append(curs, cur.Sys().(*uv.Stat))
		}))
		quiet := func() {
			t.Helper()
			n := len(curs)
			for range 20 {
				require.NoError(t, l.Poll(2*time.Millisecond))
			}
			require.Len(t, curs, n)
		}
		quiet()
		_, err := os.ReadFile(path)
		require.NoError(t, err)
		quiet()
		require.NoError(t, os.Chmod(path, 0o640))
		until(t, l, "its mode", func() bool { return len(curs) == 1 })
		require.NotEqual(t, prevs[0].Mode, curs[0].Mode)
		other := path + "2"
		require.NoError(t, os.WriteFile(other, []byte("abc"), 0o640))
		require.NoError(t, os.Rename(other, path))
		until(t, l, "another file", func() bool { return len(curs) == 2 })
		require.NotEqual(t, prevs[1].Ino, curs[1].Ino)
		require.Equal(t, curs[0], prevs[1])
	})
	t.Run("stopped and started while it looks", func(t *testing.T) {
		l := newLoop(t)
		path := filepath.Join(t.TempDir(), "file")
		x := look(t, l, path, time.Millisecond)
		for range 200 { // libuv's own aborts
			require.NoError(t, x.p.Stop())
			require.False(t, x.p.IsActive())
			require.NoError(t, x.p.Start(path, time.Millisecond, x.take))
			require.NoError(t, l.Poll(0))
		}
		x.told = nil
		require.NoError(t, x.p.Stop())
		require.NoError(t, x.p.Stop())
		run(t, l, uv.RunDefault)
		require.Empty(t, x.told)
	})
	t.Run("stopped and closed in the callback", func(t *testing.T) {
		l := newLoop(t)
		calls, closed := 0, false
		p, err := l.NewFSPoll()
		require.NoError(t, err)
		none := filepath.Join(t.TempDir(), "none")
		require.NoError(t, p.Start(none, time.Millisecond, func(_, _ fs.FileInfo, err error) {
			require.ErrorIs(t, err, os.ErrNotExist)
			if calls++; calls == 1 {
				require.NoError(t, p.Stop())
				require.NoError(t, p.Start(none, 0, func(_, _ fs.FileInfo, err error) {
					calls++
					p.CloseWith(func() { closed = true })
				}))
			}
		}))
		run(t, l, uv.RunDefault)
		require.Equal(t, 2, calls)
		require.True(t, closed)
	})
	t.Run("a callback that panics", func(t *testing.T) {
		l := newLoop(t)
		path := filepath.Join(t.TempDir(), "file")
		p, err := l.NewFSPoll()
		require.NoError(t, err)
		calls := 0
		require.NoError(t, p.Start(path, time.Millisecond, func(_, _ fs.FileInfo, err error) {
			calls++
			panic("boom")
		}))
		require.PanicsWithValue(t, "boom", func() { run(t, l, uv.RunDefault) })
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		require.PanicsWithValue(t, "boom", func() { run(t, l, uv.RunDefault) })
		require.Equal(t, 2, calls)
	})
	t.Run("keeps the loop alive", func(t *testing.T) {
		l := newLoop(t)
		x := look(t, l, t.TempDir(), time.Hour)
		require.True(t, l.Alive())
		x.p.Unref()
		run(t, l, uv.RunDefault)
		x.p.Ref()
		require.True(t, l.Alive())
		require.ErrorIs(t, l.Close(), uv.ErrBusy)
		n := 0
		for range l.Handles() {
			n++
		}
		require.Equal(t, 1, n, "its timer is its own")
		require.NoError(t, l.Shutdown(t.Context()))
	})
	t.Run("refused", func(t *testing.T) {
		l := newLoop(t)
		x := look(t, l, "/", time.Hour)
		path, err := x.p.Path()
		require.NoError(t, err)
		require.Equal(t, "/", path)
		require.ErrorIs(t, x.p.Start("/", 1, x.take), uv.EINVAL, "started already")
		require.NoError(t, x.p.Stop())
		_, err = x.p.Path()
		require.ErrorIs(t, err, uv.EINVAL)
		require.ErrorIs(t, x.p.Start("/\x00", 1, x.take), uv.EINVAL)
		require.ErrorIs(t, x.p.Start("/", -1, x.take), uv.EINVAL)
		require.ErrorIs(t, x.p.Start("/", 1, nil), uv.EINVAL)
		require.NoError(t, x.p.Start("", uv.Forever, x.take))
		until(t, l, "an error", func() bool { return len(x.told) > 0 })
		require.Equal(t, []string{"0 0 ENOENT"}, x.told)
		x.p.Close()
		x.p.Close()
		require.ErrorIs(t, x.p.Start("/", 1, x.take), uv.ErrClosed)
		require.ErrorIs(t, x.p.Stop(), uv.ErrClosed)
		_, err = x.p.Path()
		require.ErrorIs(t, err, uv.ErrClosed)
		run(t, l, uv.RunDefault)
		require.NoError(t, l.Close())
		_, err = l.NewFSPoll()
		require.ErrorIs(t, err, uv.ErrClosed)
	})
}
