package system

// Files are package os's, on both drivers. What blocks runs on goroutines, not on libuv's
// threads, which serve a resolver that is stuck as well.

import (
	"io/fs"
	"os"

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
