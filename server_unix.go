package asyncio

// The files of Unix sockets. The kernel makes one when a socket is bound and leaves it
// when the socket is closed. The server removes it at its Close, if it is still the same
// file: another server may listen there by now. A file that a crash has left is removed
// by the next server that wants its path. The drivers do neither.

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// socketFile is the file of a bound socket, which holds its inode as long as it is open.
// So nobody else's file can have the same one.
type socketFile struct {
	path string
	info fs.FileInfo
	err  error // why it could not be looked at: then it stays, and that is logged
}

// newSocketFile is the file at path; nil if there is none, as for an abstract name.
func newSocketFile(path string) *socketFile {
	if isAbstract(path) {
		return nil
	}
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute // the program may change its directory
	}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return &socketFile{path: path, info: info, err: err}
}

// remove removes the file, if it is still there. It comes before the socket is closed.
func (f *socketFile) remove(l *Loop) {
	if f == nil {
		return
	}
	err := f.err
	if err == nil {
		var now fs.FileInfo
		if now, err = os.Lstat(f.path); err == nil && os.SameFile(f.info, now) {
			err = os.Remove(f.path)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.log().Error("Unable to clean up listening UNIX socket", "path", f.path, "exception", err)
	}
}

// removeStaleSocket removes the file of a socket of the network that nobody listens on,
// and reports whether it did. To connect does not wait: the kernel answers at once, also
// where a server's backlog is full.
func removeStaleSocket(network, path string) bool {
	if isAbstract(path) {
		return false
	}
	before, err := os.Lstat(path)
	if err != nil || before.Mode().Type() != fs.ModeSocket {
		return false
	}
	conn, err := net.Dial(network, path)
	if err == nil {
		_ = conn.Close()
		return false
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return false
	}
	now, err := os.Lstat(path)
	return err == nil && os.SameFile(before, now) && os.Remove(path) == nil
}

// isAbstract reports whether a name is one of Linux's abstract name space.
func isAbstract(path string) bool { return strings.HasPrefix(path, "@") }
