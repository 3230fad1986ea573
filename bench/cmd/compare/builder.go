package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// builder makes the programs that have to be compiled, each once.
type builder struct {
	dirs
	out string
}

// cc compiles a C program of bench/, one source or a folder of them, with the same libuv
// that cbridge is linked with.
func (b builder) cc(source string, libs ...string) (string, error) {
	out := filepath.Join(b.out, strings.TrimSuffix(filepath.Base(source), ".c"))
	sources := []string{filepath.Join(b.bench, source)}
	if !strings.HasSuffix(source, ".c") {
		sources, _ = filepath.Glob(filepath.Join(b.bench, source, "*.c")) // the pattern is a good one
	}
	libuv := filepath.Join(b.root, "third_party", "libuv")
	args := []string{"-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-o", out,
		"-I" + filepath.Join(libuv, "include"), "-L" + filepath.Join(libuv, "lib")}
	return out, b.once(out, "cc", slices.Concat(args, sources, libs)...)
}

// goBuild compiles a package of bench/.
func (b builder) goBuild(folder string) (string, error) {
	out := filepath.Join(b.out, strings.ReplaceAll(folder, "/", "_"))
	return out, b.once(out, "go", "build", "-o", out, "./"+folder)
}

// once runs a compiler, unless it has made out already.
func (b builder) once(out, name string, args ...string) error {
	if _, err := os.Stat(out); err == nil {
		return nil
	}
	cmd := exec.Command(name, args...)
	cmd.Dir = b.bench
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, beginning(out))
	}
	return nil
}

// beginning is the first lines of a command's output, in one.
func beginning(out []byte) string {
	lines := strings.SplitN(strings.TrimSpace(string(out)), "\n", errorLinesMax+1)
	return strings.Join(lines[:min(len(lines), errorLinesMax)], " | ")
}

// errorLinesMax is how much of a compiler's complaint is shown.
const errorLinesMax = 3

func (b builder) libuv(source string, args ...string) maker {
	return func() (contender, error) {
		bin, err := b.cc(source, "-luv", "-lpthread", "-ldl", "-lrt")
		return contender{command: []string{bin}, args: args}, err
	}
}

func (b builder) goProgram(folder string, args ...string) maker {
	return func() (contender, error) {
		bin, err := b.goBuild(folder)
		return contender{command: []string{bin}, args: args}, err
	}
}

// Where Debian's packages put the crates that Rust programs are built from.
const (
	crates     = "/usr/share/cargo/registry"
	tokioCrate = "tokio-[0-9]*"
)

// tokio is built from a copy, since cargo writes beside the sources. Where it cannot be
// built, such as with a compiler that is too new for Debian's crates, it is left out.
func (b builder) tokio(args ...string) maker { return b.cargo("servers/tokio", args...) }

// cargo builds the crate in the folder, whose program is named after both parts of it.
func (b builder) cargo(folder string, args ...string) maker {
	parent, name := filepath.Split(folder)
	program := name + "-" + filepath.Base(parent)
	return func() (contender, error) {
		found, _ := filepath.Glob(filepath.Join(crates, tokioCrate)) // the pattern is a good one
		if _, err := exec.LookPath("cargo"); err != nil || len(found) == 0 {
			return contender{}, errAbsent{"there is no cargo or no tokio: apt-get install cargo librust-tokio-dev"}
		}
		source := filepath.Join(b.out, program)
		target := filepath.Join(source, "target")
		c := contender{command: []string{filepath.Join(target, "release", program)}, args: args}
		if _, err := os.Stat(source); err != nil {
			if err := os.CopyFS(source, os.DirFS(filepath.Join(b.bench, folder))); err != nil {
				return c, err
			}
		}
		cmd := exec.Command("cargo", "build", "--quiet", "--release", "--offline", "--target-dir", target)
		cmd.Dir = source
		if out, err := cmd.CombinedOutput(); err != nil {
			return c, errAbsent{fmt.Sprintf("cargo: %v: %s", err, beginning(out))}
		}
		return c, nil
	}
}

// asioHeader is where Debian's package puts Boost.Asio.
const asioHeader = "/usr/include/boost/asio.hpp"

// asio is Boost.Asio, which is C++ and made of headers alone; that of 1.74 forgets one.
func (b builder) asio(source string) maker {
	return func() (contender, error) { return b.cxx(source) }
}

func (b builder) cxx(source string) (contender, error) {
	_, compiler := exec.LookPath("c++")
	if _, err := os.Stat(asioHeader); err != nil || compiler != nil {
		return contender{}, errAbsent{"there is no C++ compiler or no Boost.Asio: apt-get install g++ libboost-dev"}
	}
	out := filepath.Join(b.out, strings.TrimSuffix(filepath.Base(source), ".cpp"))
	return contender{command: []string{out}}, b.once(out, "c++", "-std=c++20", "-include", "utility", "-O2", "-Wall", "-Wextra", "-pthread", "-o", out, source)
}

func (b builder) node(script string, args ...string) maker {
	return func() (contender, error) {
		node, err := exec.LookPath("node")
		if err != nil {
			return contender{}, errAbsent{"there is no node: apt-get install nodejs"}
		}
		command := []string{node, "--expose-gc", filepath.Join(b.bench, script)}
		return contender{command: command, args: args, free: syscall.SIGUSR2}, nil
	}
}

// python runs a script: on uvloop with a Python that has it, on asyncio with the newest.
func (b builder) python(script, loops string, args ...string) maker {
	return func() (contender, error) {
		path, ok := pythonWith(loops)
		if !ok {
			return contender{}, errAbsent{fmt.Sprintf("no Python has %s: apt-get install python3-uvloop", loops)}
		}
		return contender{command: []string{path, filepath.Join(b.bench, script)}, args: append([]string{loops}, args...)}, nil
	}
}

func pythonWith(module string) (path string, ok bool) {
	candidates := []string{"/usr/bin/python3", "python3"}
	if module == "asyncio" {
		newest, _ := filepath.Glob(filepath.Join(pyenvRoot(), "versions", "3.13.*", "bin", "python3"))
		candidates = append(newest, "python3.13", "python3")
	}
	for _, c := range candidates {
		path, err := exec.LookPath(c)
		if err == nil && exec.Command(path, "-c", "import "+module).Run() == nil {
			return path, true
		}
	}
	return "", false
}

func pyenvRoot() string {
	if root := os.Getenv("PYENV_ROOT"); root != "" {
		return root
	}
	home, _ := os.UserHomeDir()
	return filepath.Join(home, ".pyenv")
}
