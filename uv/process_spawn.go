//go:build cgo

package uv

// What a child is to have, in the words of the bridge. Everything that libuv would take
// wrongly, or not at all, is refused here.

import (
	"bytes"
	"errors"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// SpawnOptions says what Spawn starts, and how; uv_process_options_t.
type SpawnOptions struct {
	// File is the program. A name without a slash is looked up as by exec.LookPath, in
	// the PATH of Env. A path that is not absolute begins at Dir.
	File string
	Dir  string   // the child's directory; "": that of this process
	Args []string // Args[0] is the name that the program sees; nil: File alone
	Env  []string // nil: os.Environ(); []string{}: empty
	// Stdio is what the child has as its descriptors 0, 1, 2 and so on. What is missing
	// of the first three is StdioIgnore.
	Stdio    []StdioContainer
	UID, GID *uint32
	Detached bool // the child leads a session of its own
}

// StdioContainer is what a child has as one of its descriptors; uv_stdio_container_t.
type StdioContainer struct {
	Kind StdioKind
	FD   uintptr // of StdioInheritFD; it stays the caller's
	// Stream is, of StdioCreatePipe, that of a new Pipe, which Spawn connects; of
	// StdioInheritStream any stream of the loop that has a descriptor.
	Stream *Stream
	Flags  StdioFlags // of StdioCreatePipe, as the child sees it
}

// StdioKind is where a descriptor of a child comes from; uv_stdio_flags.
type StdioKind int

// The kinds. A descriptor that is inherited as one of the first three is made blocking,
// for this process too, as both have the same file.
const (
	StdioIgnore        StdioKind = iota // /dev/null as 0 to 2, else nothing
	StdioCreatePipe                     // one end of a connection, whose other end is Stream
	StdioInheritFD                      // FD
	StdioInheritStream                  // the descriptor of Stream
)

// StdioFlags say what a child may do with its end of a connection.
type StdioFlags uint

// The flags of StdioCreatePipe, at least one of the first two.
const (
	StdioReadable StdioFlags = 1 << iota
	StdioWritable
	StdioNonblock // the child's end is non-blocking
)

// Spawn starts a program in a child; uv_spawn. exited is called once, in a later turn,
// when it has ended, which may be before the last bytes of its pipes have come. exited
// may be nil.
//
// The call takes a fraction of a millisecond; who starts many does so in several turns.
// It returns when the child runs the program, or with the error that has kept it
// from that: ENOENT, EACCES, EPERM and the like; then nothing is left behind, and the
// pipes are as new. Other errors are ErrClosed; EINVAL for a NUL byte and for what is
// wrong with Stdio; EBADF for a descriptor or stream that is none; and ENOTSUP while the
// program ignores SIGCHLD, as then nobody would be told of the end.
//
// The child inherits the descriptors of Stdio and no others, default handling of signals,
// none of which is blocked, and the RLIMIT_NOFILE that this process has begun with, which
// Go raises. A program must not itself wait for children that it does not know.
func (l *Loop) Spawn(opt SpawnOptions, exited func(ExitStatus)) (*Process, error) {
	l.use("Loop.Spawn")
	if l.state.Load() == loopClosed {
		return nil, ErrClosed
	}
	b, err := l.newBirth(opt)
	if err != nil {
		return nil, err
	}
	l.flush() // what was written to a stream comes before what the child writes there
	syscall.ForkLock.Lock()
	id, pid, code := l.b.Spawn(b.strings, b.how, b.items)
	syscall.ForkLock.Unlock()
	if code != 0 {
		return nil, b.failed(Errno(code))
	}
	for _, c := range opt.Stdio {
		if c.Kind == StdioCreatePipe {
			c.Stream.flags |= streamConnected
		}
	}
	p := &Process{pid: pid, exited: exited}
	l.addBridged(p, ProcessHandle, id)
	l.stirred()
	return p, nil
}

// birth is a child to be, as the bridge wants it.
type birth struct {
	opt     SpawnOptions
	strings []byte
	how     cbridge.Spawn
	items   []cbridge.StdioItem
}

func (l *Loop) newBirth(opt SpawnOptions) (*birth, error) {
	if opt.Env == nil {
		opt.Env = os.Environ()
	}
	if len(opt.Args) == 0 {
		opt.Args = []string{opt.File}
	}
	b := &birth{opt: opt, how: cbridge.Spawn{Args: len(opt.Args), Env: len(opt.Env), UID: opt.UID, GID: opt.GID, Detached: opt.Detached}}
	for _, c := range opt.Stdio {
		item, err := l.stdioItem(c)
		if err != nil {
			return nil, err
		}
		b.items = append(b.items, item)
	}
	if strings.IndexByte(opt.File, 0) >= 0 {
		return nil, b.failed(EINVAL)
	}
	file, code := lookPath(opt.File, opt.Env)
	if code != 0 {
		return nil, b.failed(code)
	}
	b.add(file, opt.Dir)
	b.add(opt.Args...)
	b.add(opt.Env...)
	if bytes.Count(b.strings, []byte{0}) != 2+len(opt.Args)+len(opt.Env) { // one of them has a NUL of its own
		return nil, b.failed(EINVAL)
	}
	return b, nil
}

func (b *birth) add(all ...string) {
	for _, s := range all {
		b.strings = append(append(b.strings, s...), 0)
	}
}

// failed makes the error of a Spawn. Its address is the directory if it is that which is
// missing.
func (b *birth) failed(code Errno) error {
	e := &Error{Op: "spawn", Kind: ProcessHandle, Addr: b.opt.File, Errno: code}
	if code == ENOTSUP {
		e.Op = "spawn while SIGCHLD is ignored"
	}
	if b.opt.Dir != "" {
		if info, err := os.Stat(b.opt.Dir); err != nil || !info.IsDir() {
			e.Addr = b.opt.Dir
		}
	}
	return e
}

func (l *Loop) stdioItem(c StdioContainer) (item cbridge.StdioItem, err error) {
	refuse := func(code Errno) (cbridge.StdioItem, error) {
		return item, &Error{Op: "spawn: stdio", Kind: ProcessHandle, Errno: code}
	}
	s := c.Stream
	switch c.Kind {
	case StdioIgnore:
		item.Kind = cbridge.StdioIgnore
	case StdioInheritFD:
		if c.FD > math.MaxInt32 {
			return refuse(EBADF)
		}
		item.Kind, item.FD = cbridge.StdioFD, int32(c.FD)
	case StdioInheritStream:
		if s == nil || s.loop != l {
			return refuse(EINVAL)
		}
		fd, err := s.Fd()
		if err != nil {
			return item, err
		}
		item.Kind, item.FD = cbridge.StdioFD, int32(fd)
	case StdioCreatePipe:
		if s == nil || s.loop != l || s.kind != PipeHandle || c.Flags&^(StdioReadable|StdioWritable|StdioNonblock) != 0 {
			return refuse(EINVAL)
		}
		if s.state != handleOpen {
			return item, ErrClosed
		}
		item.Kind, item.Flags, item.Stream = cbridge.StdioPipe, int32(c.Flags), s.id()
	default:
		return refuse(EINVAL)
	}
	return item, nil
}

// lookPath finds a program as exec.LookPath does, in the PATH of env: one in a directory
// that depends on the current one is refused. What is found and may not be run is EACCES,
// if there is no other.
func lookPath(file string, env []string) (string, Errno) {
	if file == "" {
		return "", ENOENT
	}
	if strings.Contains(file, "/") {
		return file, 0
	}
	code := ENOENT
	for _, dir := range filepath.SplitList(variable(env, "PATH")) {
		if dir == "" {
			dir = "."
		}
		path := strings.TrimSuffix(dir, "/") + "/" + file
		_, err := exec.LookPath(path)
		switch {
		case err == nil && filepath.IsAbs(path):
			return path, 0
		case err == nil || errors.Is(err, exec.ErrDot):
			return "", ENOENT
		case errors.Is(err, fs.ErrPermission):
			code = EACCES
		}
	}
	return "", code
}

// variable is the value of a variable: of the first, as getenv has it.
func variable(env []string, name string) string {
	for _, v := range env {
		if value, found := strings.CutPrefix(v, name+"="); found {
			return value
		}
	}
	return ""
}
