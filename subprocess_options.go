package asyncio

// What to run, and what the child has for its standard files.

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor/system"
)

// ProcessOptions says which program to run, and how. Either Args or Shell is set.
type ProcessOptions struct {
	// Args is the program and its arguments: create_subprocess_exec. A name without a
	// slash is looked up in the PATH of Env, where only absolute directories count; one
	// with a slash is taken from Dir on.
	Args []string
	// Shell is a command line for /bin/sh -c: create_subprocess_shell.
	Shell string
	// Executable is the file to run instead of Args[0], or instead of /bin/sh; "" is
	// none. The program still sees Args[0].
	Executable string
	// Env is the child's environment, as lines "name=value"; of a name that comes twice
	// the last one counts. nil is this process's environment, and []string{} is empty.
	Env []string
	// Dir is where the child begins: cwd. "" is this process's directory.
	Dir string
	// Stdin, Stdout and Stderr are the child's descriptors 0, 1 and 2. The zero value is
	// this process's own.
	Stdin, Stdout, Stderr Stdio
	// ExtraFiles are the child's descriptors from 3 on: pass_fds, with other numbers.
	// They stay the caller's, who may close them once the child has started; none may be
	// nil. Each is made blocking, as os/exec does.
	ExtraFiles []*os.File
	// NewSession makes the child the leader of a session of its own: start_new_session.
	NewSession bool
	// Limit is that of the readers of Process, in bytes, see WithLimit; 0 is the default.
	// It means nothing to SubprocessExec.
	Limit int
}

// Stdio says what one of a child's standard files is. The zero value is Inherit.
type Stdio struct {
	Kind StdioKind
	// File is that of FromFile, and nil otherwise. It stays the caller's, who may close
	// it once the child has started. It is made blocking, as os/exec does.
	File *os.File
}

// StdioKind is a kind of Stdio.
type StdioKind int

const (
	Inherit  StdioKind = iota // the one that this process has: None
	Pipe                      // a pipe, whose other end this process gets: PIPE
	DevNull                   // nothing to read, and nothing is kept: DEVNULL
	ToStdout                  // for Stderr only: what Stdout is: STDOUT
	FromFile                  // an open file
)

func (k StdioKind) String() string {
	names := [...]string{"Inherit", "Pipe", "DevNull", "ToStdout", "FromFile"}
	if k < 0 || int(k) >= len(names) {
		return fmt.Sprintf("StdioKind(%d)", int(k))
	}
	return names[k]
}

// stdioNames are the standard files by descriptor.
var stdioNames = [...]string{"Stdin", "Stdout", "Stderr"}

func (o *ProcessOptions) stdio() [3]Stdio { return [3]Stdio{o.Stdin, o.Stdout, o.Stderr} }

// check tells what is wrong with the options.
func (o *ProcessOptions) check() error {
	switch {
	case len(o.Args) == 0 && o.Shell == "":
		return badOption("there is nothing to run: set Args or Shell")
	case len(o.Args) > 0 && o.Shell != "":
		return badOption("Args and Shell are both set: choose one")
	case o.Limit < 0:
		return badOption("Limit is %d: it is a number of bytes, or 0", o.Limit)
	}
	for fd, s := range o.stdio() {
		if err := s.check(fd); err != nil {
			return err
		}
	}
	for i, f := range o.ExtraFiles {
		if f == nil {
			return badOption("ExtraFiles[%d] is nil", i)
		}
	}
	for _, s := range append(append([]string{o.Shell, o.Executable, o.Dir}, o.Args...), o.Env...) {
		if strings.IndexByte(s, 0) >= 0 {
			return badOption("%q has a NUL byte, which no program can be given", s)
		}
	}
	return nil
}

func (s Stdio) check(fd int) error {
	name := stdioNames[fd]
	switch {
	case s.Kind < Inherit || s.Kind > FromFile:
		return badOption("%s is of the unknown kind %d", name, int(s.Kind))
	case s.Kind == ToStdout && fd != 2:
		return badOption("%s is ToStdout, which only Stderr can be", name)
	case s.Kind == FromFile && s.File == nil:
		return badOption("%s is FromFile, and its File is nil", name)
	case s.Kind != FromFile && s.File != nil:
		return badOption("%s has a File, and is %s: set Kind to FromFile", name, s.Kind)
	}
	return nil
}

func badOption(format string, args ...any) error {
	return fmt.Errorf("asyncio: ProcessOptions: "+format+": %w", append(args, ErrInvalidArgument)...)
}

// environment is the child's, each name once.
func (o *ProcessOptions) environment() []string {
	env := o.Env
	if env == nil {
		env = os.Environ()
	}
	return (&exec.Cmd{Env: env}).Environ()
}

// arguments are what the program sees.
func (o *ProcessOptions) arguments() []string {
	if o.Shell != "" {
		return []string{cmp.Or(o.Executable, "/bin/sh"), "-c", o.Shell}
	}
	return o.Args
}

// executable is the file to run.
func (o *ProcessOptions) executable(env []string) (string, error) {
	name := cmp.Or(o.Executable, o.arguments()[0])
	if strings.Contains(name, "/") {
		return name, nil
	}
	path, err := lookUpProgram(name, env)
	if err != nil {
		return "", fmt.Errorf("asyncio: start %q: it is not in the PATH of the child's environment: %w", name, err)
	}
	return path, nil
}

// pathDefault is searched if the environment has no PATH: os.defpath.
const pathDefault = "/bin:/usr/bin"

// lookUpProgram finds a program in env's PATH. If there is none, but a file that may not
// be run, or cannot be looked at, the error is about that.
func lookUpProgram(name string, env []string) (string, error) {
	path := pathDefault
	for _, line := range env {
		if value, ok := strings.CutPrefix(line, "PATH="); ok {
			path = value
		}
	}
	var missing error = syscall.ENOENT
	if name == "" {
		return "", missing
	}
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue // package os/exec trusts none of these either
		}
		file, err := exec.LookPath(filepath.Join(dir, name))
		if err == nil {
			return file, nil
		}
		if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) && !errors.Is(err, syscall.EISDIR) {
			missing = err
		}
	}
	return "", missing
}

// childFiles are the files of a child: its own, by descriptor, and the ends of its pipes
// that this process keeps.
type childFiles struct {
	child  []*os.File
	parent [3]*os.File // nil: no pipe
}

// openFiles makes the child's files, which are duplicates of the caller's: a start that
// is cancelled may still use them when the caller has closed its own.
func (o *ProcessOptions) openFiles() (c childFiles, err error) {
	defer func() {
		if err != nil {
			system.CloseFiles(c.child)
			c.closeParent()
		}
	}()
	for fd, s := range o.stdio() {
		f, err := c.open(fd, s)
		if err != nil {
			return c, fmt.Errorf("asyncio: %s of a child: %w", stdioNames[fd], err)
		}
		c.child = append(c.child, f)
	}
	for i, f := range o.ExtraFiles {
		d, err := duplicate(f)
		if err != nil {
			return c, fmt.Errorf("asyncio: ExtraFiles[%d] of a child: %w", i, err)
		}
		c.child = append(c.child, d)
	}
	return c, nil
}

func (c *childFiles) open(fd int, s Stdio) (*os.File, error) {
	switch s.Kind {
	case Pipe:
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		if fd == 0 {
			r, w = w, r
		}
		c.parent[fd] = r
		return w, nil
	case ToStdout:
		return duplicate(c.child[1])
	case FromFile:
		return duplicate(s.File)
	case Inherit:
		dup, err := system.Duplicate(fd)
		if !errors.Is(err, syscall.EBADF) { // closed, and so the child has nothing either
			return newFile(dup, err)
		}
	}
	return os.OpenFile(os.DevNull, os.O_RDWR, 0)
}

// duplicate is another descriptor of f's file.
func duplicate(f *os.File) (*os.File, error) {
	dup, err := system.Duplicate(int(f.Fd()))
	if errors.Is(err, syscall.EBADF) {
		err = fmt.Errorf("%s: %w", f.Name(), os.ErrClosed)
	}
	return newFile(dup, err)
}

func newFile(fd int, err error) (*os.File, error) {
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), ""), nil
}

// closeParent closes what no transport has taken over.
func (c *childFiles) closeParent() {
	for fd, f := range c.parent {
		if f != nil {
			_ = f.Close()
			c.parent[fd] = nil
		}
	}
}
