//go:build cgo

package uv_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-a026a017/asyncio/cbridge"
	"github.com/seed-a026a017/asyncio/uv"
)

// Requests of all kinds are begun, cancelled and overtaken by the ends of their contexts
// in any order, on files that others close meanwhile. Each is told once, and nothing is
// left.

type fileSequence struct {
	t      *testing.T
	rt     *rapid.T
	l      *uv.Loop
	dir    string
	reqs   []*uv.Req
	told   []int // by request: how often
	files  []*uv.File
	dirs   []*uv.Dir
	ended  []bool // by file: its close was told without an error
	closed []bool // by directory
	ends   []context.CancelCauseFunc
}

// request begins one. begin is given what its callback calls.
func (s *fileSequence) request(begin func(told func()) *uv.Req) {
	i := len(s.told)
	s.told = append(s.told, 0)
	inside := true
	r := begin(func() {
		require.False(s.t, inside)
		s.told[i]++
	})
	inside = false
	s.reqs = append(s.reqs, r)
}

// fs is the file system, with a context that may end or without.
func (s *fileSequence) fs() (uv.FS, context.Context) {
	ctx := context.Background()
	switch rapid.IntRange(0, 3).Draw(s.rt, "context") {
	case 0:
		with, end := context.WithCancelCause(ctx)
		s.ends = append(s.ends, end)
		ctx = with
	case 1:
		with, end := context.WithCancelCause(ctx)
		end(nil)
		ctx = with
	}
	return s.l.FS().WithContext(ctx), ctx
}

func (s *fileSequence) opened(f *uv.File) {
	if f != nil {
		s.files = append(s.files, f)
		s.ended = append(s.ended, false)
	}
}

func (s *fileSequence) step() {
	f, ctx := s.fs()
	path := s.dir + "/" + rapid.SampledFrom([]string{"a", "b", "d", "d/e", "a\x00", ""}).Draw(s.rt, "path")
	switch step := rapid.IntRange(0, 16).Draw(s.rt, "step"); step {
	case 0, 1:
		s.request(func(told func()) *uv.Req {
			return f.Open(path, os.O_RDWR|os.O_CREATE, 0o600, func(file *uv.File, err error) {
				told()
				s.opened(file)
			})
		})
	case 2:
		s.request(func(told func()) *uv.Req {
			return f.CreateTemp(s.dir+"/tXXXXXX", func(file *uv.File, err error) {
				told()
				s.opened(file)
			})
		})
	case 3:
		s.request(func(told func()) *uv.Req {
			return f.OpenDir(s.dir, func(d *uv.Dir, err error) {
				told()
				if d != nil {
					s.dirs = append(s.dirs, d)
					s.closed = append(s.closed, false)
				}
			})
		})
	case 4:
		s.request(func(told func()) *uv.Req { return f.ReadDir(path, func([]fs.DirEntry, error) { told() }) })
	case 5:
		s.request(func(told func()) *uv.Req { return f.MkdirTemp(s.dir+"/tXXXXXX", func(string, error) { told() }) })
	case 6:
		s.request(func(told func()) *uv.Req { return f.CopyFile(path, s.dir+"/b", 0, func(error) { told() }) })
	case 7:
		s.request(func(told func()) *uv.Req { return f.Realpath(path, func(string, error) { told() }) })
	case 8, 9:
		if len(s.reqs) > 0 {
			_ = rapid.SampledFrom(s.reqs).Draw(s.rt, "cancelled").Cancel()
		}
	case 10:
		if len(s.ends) > 0 {
			rapid.SampledFrom(s.ends).Draw(s.rt, "ended")(nil)
		}
	case 11:
		require.NoError(s.t, s.l.Poll(0))
	default:
		s.use(step, ctx)
	}
}

// use begins a request of a file or directory that is or was open.
func (s *fileSequence) use(step int, ctx context.Context) {
	if len(s.files) == 0 || len(s.dirs) == 0 {
		return
	}
	i, k := rapid.IntRange(0, len(s.files)-1).Draw(s.rt, "file"), rapid.IntRange(0, len(s.dirs)-1).Draw(s.rt, "directory")
	f, d := s.files[i].WithContext(ctx), s.dirs[k]
	switch step {
	case 12:
		s.request(func(told func()) *uv.Req {
			return f.WriteV([][]byte{make([]byte, 100), make([]byte, 3000)}, 0, func(int, error) { told() })
		})
	case 13:
		s.request(func(told func()) *uv.Req { return f.Read(make([]byte, 4096), func(int, error) { told() }) })
	case 14:
		s.request(func(told func()) *uv.Req { return d.Read(3, func([]fs.DirEntry, error) { told() }) })
	case 15:
		s.request(func(told func()) *uv.Req {
			return f.Close(func(err error) {
				told()
				s.ended[i] = s.ended[i] || err == nil
			})
		})
	case 16:
		s.request(func(told func()) *uv.Req {
			return d.Close(func(err error) {
				told()
				s.closed[k] = s.closed[k] || err == nil
			})
		})
	}
}

// finish closes what is open. A close whose context has ended while it ran has closed.
func (s *fileSequence) finish() {
	_, err := s.l.Run(uv.RunDefault)
	require.NoError(s.t, err)
	for i, f := range s.files {
		err := do(s.t, s.l, f.Close)
		require.True(s.t, err == nil || err == uv.ErrClosed, "%v", err)
		require.False(s.t, err == nil && s.ended[i], "it was closed")
	}
	for k, d := range s.dirs {
		err := do(s.t, s.l, d.Close)
		require.True(s.t, err == nil || err == uv.ErrClosed, "%v", err)
		require.False(s.t, err == nil && s.closed[k], "it was closed")
	}
	for i, n := range s.told {
		require.Equal(s.t, 1, n, "request %d", i)
	}
	for _, end := range s.ends {
		end(nil)
	}
	if rapid.Bool().Draw(s.rt, "shutdown with requests") {
		calls := 0
		for range 20 {
			s.l.FS().Stat("/", func(fs.FileInfo, error) { calls++ })
		}
		require.NoError(s.t, s.l.Shutdown(s.t.Context()))
		require.Equal(s.t, 20, calls)
	}
}

func TestFileSequences(t *testing.T) {
	top := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		fds, memory := len(descriptors()), cbridge.LiveAllocations()
		n++
		s := &fileSequence{t: t, rt: rt, dir: fmt.Sprint(top, "/", n)}
		require.NoError(t, os.MkdirAll(s.dir+"/d", 0o700))
		var err error
		s.l, err = uv.NewLoop()
		require.NoError(t, err)
		for range rapid.IntRange(1, 150).Draw(rt, "steps") {
			s.step()
		}
		s.finish()
		if err := s.l.Close(); err != nil {
			require.Equal(t, uv.ErrClosed, err)
		}
		require.Len(t, descriptors(), fds)
		require.Equal(t, memory, cbridge.LiveAllocations())
	})
}
