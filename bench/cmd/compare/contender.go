package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

// contender is a program that is measured: an echo server, which takes a port as its last
// argument but for args, or one that times a loop's operations, which takes seconds
// there.
type contender struct {
	name    string
	command []string
	args    []string       // after the port or the seconds
	env     []string       // added to the environment
	free    syscall.Signal // makes a server give free memory back and print "freed"
}

// errAbsent is why a contender cannot take part on this machine.
type errAbsent struct{ reason string }

func (e errAbsent) Error() string { return e.reason }

// builder makes the programs that have to be compiled, each once.
type builder struct {
	dirs
	out string
}

// programs are all that takes part, by what it does.
type programs struct{ servers, loops, benchmarks []contender }

// prepare makes every contender ready to start that the settings admit.
func (b builder) prepare(s settings, rep *result.Report) (p programs, err error) {
	if s.wantsWork(result.Cost) {
		benchmarks := []entry{{benchmarksOfRoot, b.benchmarks}}
		if p.benchmarks, err = prepare(benchmarks, nil, s, rep); err != nil {
			return p, err
		}
		if p.loops, err = prepare(b.loops(), []string{result.Asyncio}, s, rep); err != nil {
			return p, err
		}
	}
	if s.wantsWork(result.Echo) || s.wantsWork(result.Pipeline) || s.wantsWork(result.Open) || s.wantsWork(result.Beside) ||
		s.wantsWork(result.Idle) {
		controls := []string{result.LibuvC}
		if s.wantsWork(result.Beside) && slices.ContainsFunc(goServers, s.wants) {
			controls = append(controls, result.GoNet)
		}
		p.servers, err = prepare(b.servers(), controls, s, rep)
	}
	return p, err
}

// cc compiles a C program of bench/ with the same libuv that cbridge is linked with.
func (b builder) cc(source string, libs ...string) (string, error) {
	out := filepath.Join(b.out, strings.TrimSuffix(filepath.Base(source), ".c"))
	libuv := filepath.Join(b.root, "third_party", "libuv")
	args := []string{"-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-o", out, filepath.Join(b.bench, source),
		"-I" + filepath.Join(libuv, "include"), "-L" + filepath.Join(libuv, "lib")}
	return out, b.once(out, "cc", append(args, libs...)...)
}

// benchmarksOfRoot are the benchmarks of package asyncio, in a test binary.
const benchmarksOfRoot = "asyncio-benchmarks"

func (b builder) benchmarks() (contender, error) {
	out := filepath.Join(b.out, "root.test")
	return contender{command: []string{out}}, b.once(out, "go", "test", "-c", "-o", out, "github.com/seed-a026a017/asyncio")
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

// entry is a contender that may be prepared.
type entry struct {
	name string
	make func() (contender, error)
}

// pureGo makes asyncio run without libuv.
const pureGo = "ASYNCIO_DRIVER=purego"

// servers are the contenders of all works with connections, the control first.
func (b builder) servers() []entry {
	libuv := func(args ...string) func() (contender, error) {
		return func() (contender, error) {
			bin, err := b.cc("servers/echo_libuv.c", "-luv", "-lpthread", "-ldl", "-lrt")
			return contender{command: []string{bin}, args: args}, err
		}
	}
	return []entry{
		{result.LibuvC, libuv()},
		{result.LibuvC256, libuv("256")},
		{result.Protocol, b.goProgram("servers/asyncio_protocol")},
		{result.Streams, b.goProgram("servers/asyncio_streams")},
		{result.PureGo, b.goProgram("servers/asyncio_protocol", pureGo)},
		{result.PureGoStreams, b.goProgram("servers/asyncio_streams", pureGo)},
		{result.GoNet, b.goProgram("servers/gonet")},
		{result.Netpoll, b.goProgram("servers/netpoll")},
		{result.Uvloop, b.python("servers/echo_asyncio.py", "uvloop", "protocol")},
		{result.UvloopStreams, b.python("servers/echo_asyncio.py", "uvloop", "streams")},
		{result.Python, b.python("servers/echo_asyncio.py", "asyncio", "protocol")},
		{result.NodeNet, b.node("servers/echo_node.js")},
	}
}

// loops are the contenders of the operations that most loops have, the control first, and
// plain Go without a loop.
func (b builder) loops() []entry {
	return []entry{
		{result.Asyncio, b.goProgram("loops/asyncio")},
		{result.Bare, b.goProgram("loops/bare")},
		{result.PureGo, b.goProgram("loops/asyncio", pureGo)},
		{result.Goja, b.goProgram("loops/goja")},
		{result.UvloopLoop, b.python("loops/loops.py", "uvloop")},
		{result.PythonLoop, b.python("loops/loops.py", "asyncio")},
		{result.Node, b.node("loops/loops.js", "loop")},
		{result.NodeMicrotasks, b.node("loops/loops.js", "microtasks")},
	}
}

func (b builder) goProgram(folder string, env ...string) func() (contender, error) {
	return func() (contender, error) {
		bin, err := b.goBuild(folder)
		return contender{command: []string{bin}, env: env, free: syscall.SIGUSR1}, err
	}
}

func (b builder) node(script string, args ...string) func() (contender, error) {
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
func (b builder) python(script, loops string, args ...string) func() (contender, error) {
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

// prepare makes every contender that ONLY admits ready to start. If there is any, the
// controls take part as well.
func prepare(entries []entry, controls []string, s settings, rep *result.Report) ([]contender, error) {
	if !slices.ContainsFunc(entries, func(e entry) bool { return s.wants(e.name) }) {
		return nil, nil
	}
	var ready []contender
	for _, e := range entries {
		control := slices.Contains(controls, e.name)
		if !control && !s.wants(e.name) {
			continue
		}
		c, err := e.make()
		if absent := (errAbsent{}); errors.As(err, &absent) {
			rep.Absent = append(rep.Absent, result.Absent{Name: e.name, Reason: absent.reason})
			continue
		}
		if err != nil && control {
			return nil, fmt.Errorf("the control %s cannot be built: %w", e.name, err)
		}
		if err != nil {
			rep.Failed = append(rep.Failed, result.Failed{Name: e.name, Work: "build", Error: err.Error()})
			continue
		}
		c.name = e.name
		if c.free == 0 {
			c.free = syscall.SIGUSR1
		}
		ready = append(ready, c)
	}
	return ready, nil
}

// environ is the environment that the contender runs in.
func (c contender) environ() []string { return append(os.Environ(), c.env...) }

// pinned is the command line that runs argv on the given processors only.
func pinned(cpus string, argv []string) []string {
	if cpus == "" {
		return argv
	}
	return append([]string{"taskset", "-c", cpus}, argv...)
}
