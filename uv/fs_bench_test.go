//go:build cgo

package uv_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// What a loop asks of the file system: by libuv's pool, and beside it by a goroutine that
// posts what came of it, as a program without FS would. One request at a time, and 32
// under way.

// benchRequests runs b.N requests, some of them under way at a time. begin begins one,
// which calls its argument when it is over.
func benchRequests(b *testing.B, l *uv.Loop, underWay int, begin func(over func())) {
	begun, over := 0, 0
	var next func()
	next = func() {
		if over++; begun < b.N {
			begun++
			begin(next)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for begun < min(underWay, b.N) {
		begun++
		begin(next)
	}
	for over < b.N {
		l.Poll(patience)
	}
}

func benchFS(b *testing.B, pool, goroutine func(b *testing.B, l *uv.Loop) func(over func())) {
	for _, by := range []struct {
		name  string
		begin func(b *testing.B, l *uv.Loop) func(over func())
	}{{"pool", pool}, {"goroutine", goroutine}} {
		for _, n := range []struct {
			name     string
			underWay int
		}{{"1", 1}, {"32", 32}} {
			b.Run(by.name+"/"+n.name, func(b *testing.B) {
				l := newLoop(b, uv.WithWait(uv.WaitAdaptive))
				benchRequests(b, l, n.underWay, by.begin(b, l))
			})
		}
	}
}

func BenchmarkFSStat(b *testing.B) {
	benchFS(b, func(b *testing.B, l *uv.Loop) func(func()) {
		return func(over func()) { l.FS().Stat("/", func(fs.FileInfo, error) { over() }) }
	}, func(b *testing.B, l *uv.Loop) func(func()) {
		return func(over func()) {
			go func() {
				os.Stat("/")
				l.Post(over)
			}()
		}
	})
}

func BenchmarkFSReadAt(b *testing.B) {
	for name, size := range map[string]int{"4KiB": 4 << 10, "1MiB": 1 << 20} {
		path := filepath.Join(b.TempDir(), "f")
		require.NoError(b, os.WriteFile(path, make([]byte, size), 0o600))
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(size))
			benchFS(b, func(b *testing.B, l *uv.Loop) func(func()) {
				b.SetBytes(int64(size))
				f := openedFile(b, l, path, os.O_RDONLY)
				b.Cleanup(func() { closeFile(b, l, f) })
				bufs := buffers(size)
				return func(over func()) {
					p := bufs.get()
					f.ReadAt(p, 0, func(int, error) {
						bufs.put(p)
						over()
					})
				}
			}, func(b *testing.B, l *uv.Loop) func(func()) {
				b.SetBytes(int64(size))
				f, err := os.Open(path)
				require.NoError(b, err)
				b.Cleanup(func() { f.Close() })
				bufs := buffers(size)
				return func(over func()) {
					p := bufs.get()
					go func() {
						f.ReadAt(p, 0)
						l.Post(func() {
							bufs.put(p)
							over()
						})
					}()
				}
			})
		})
	}
}

// bufferList are buffers that are not in use.
type bufferList struct {
	size int
	free [][]byte
}

func buffers(size int) *bufferList { return &bufferList{size: size} }

func (l *bufferList) get() []byte {
	if len(l.free) == 0 {
		return make([]byte, l.size)
	}
	p := l.free[len(l.free)-1]
	l.free = l.free[:len(l.free)-1]
	return p
}

func (l *bufferList) put(p []byte) { l.free = append(l.free, p) }

// Stat without a loop, beside that of package os.
func BenchmarkFSStatSync(b *testing.B) {
	for name, stat := range map[string]func(string) (fs.FileInfo, error){"uv": uv.FSSync{}.Stat, "os": os.Stat} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				stat("/")
			}
		})
	}
}
