package system

// Files are package os's, on both drivers, and what blocks runs on goroutines. libuv's
// pool has four threads, which a resolver that is stuck holds as well, and it is slower
// but for long reads of which many are under way. Microseconds for a read that the kernel
// has in memory, the best of three runs on two processors (go test ./uv -bench FSReadAt):
//
//	                 alone            100 under way    alone, one P     100, one P
//	                 goroutine  pool  goroutine  pool  goroutine  pool  goroutine  pool
//	4 KiB                  1.8    43        2.2   4.4        5.6    15        4.4   5.2
//	1 MiB                   69   146        181   122         45    71        198   121

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// osFiles implements proactor.FileSystem.
type osFiles struct{}

// FileSystem is the system's.
func (System) FileSystem() proactor.FileSystem { return osFiles{} }

func (osFiles) OpenFile(name string, flag int, perm fs.FileMode) (proactor.File, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (osFiles) ReadFile(name string) ([]byte, error)         { return os.ReadFile(name) }
func (osFiles) Stat(name string) (fs.FileInfo, error)        { return os.Stat(name) }
func (osFiles) Lstat(name string) (fs.FileInfo, error)       { return os.Lstat(name) }
func (osFiles) ReadDir(name string) ([]fs.DirEntry, error)   { return os.ReadDir(name) }
func (osFiles) MkdirAll(name string, perm fs.FileMode) error { return os.MkdirAll(name, perm) }
func (osFiles) Remove(name string) error                     { return os.Remove(name) }
func (osFiles) Rename(from, to string) error                 { return os.Rename(from, to) }
func (osFiles) SameFile(a, b fs.FileInfo) bool               { return os.SameFile(a, b) }

// CheckDir refuses what is no directory.
func CheckDir(name string) error {
	info, err := os.Stat(name)
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return path.Err
	}
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	return err
}
