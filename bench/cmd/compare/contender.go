package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

// contender is an echo server: a command that takes a port as its last argument but for args.
type contender struct {
	name    string
	command []string
	args    []string       // after the port
	free    syscall.Signal // makes it give free memory back and print "freed"
}

// errAbsent is why a contender cannot take part on this machine.
type errAbsent struct{ reason string }

func (e errAbsent) Error() string { return e.reason }

// builder makes the programs that have to be compiled.
type builder struct {
	dirs
	out string
}

// cc compiles a C program of bench/ with the same libuv that cbridge is linked with.
func (b builder) cc(name, source string, libs ...string) (string, error) {
	out := filepath.Join(b.out, name)
	libuv := filepath.Join(b.root, "third_party", "libuv")
	args := []string{"-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-o", out, filepath.Join(b.bench, source),
		"-I" + filepath.Join(libuv, "include"), "-L" + filepath.Join(libuv, "lib")}
	return out, b.run("cc", append(args, libs...)...)
}

func (b builder) goBuild(name string) (string, error) {
	out := filepath.Join(b.out, name)
	return out, b.run("go", "build", "-o", out, "./servers/"+name)
}

func (b builder) run(name string, args ...string) error {
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

// entries are all contenders, the control first.
func (b builder) entries() []entry {
	compiled := func(name string, args ...string) func() (contender, error) {
		return func() (contender, error) {
			bin, err := b.goBuild(name)
			return contender{command: []string{bin}, args: args}, err
		}
	}
	libuv := func(args ...string) func() (contender, error) {
		return func() (contender, error) {
			bin, err := b.cc("echo_libuv", "servers/echo_libuv.c", "-luv", "-lpthread", "-ldl", "-lrt")
			return contender{command: []string{bin}, args: args}, err
		}
	}
	return []entry{
		{result.LibuvC, libuv()},
		{result.LibuvC256, libuv("256")},
		{result.Protocol, compiled("asyncio_protocol")},
		{result.Streams, compiled("asyncio_streams")},
		{result.PureGo, compiled("asyncio_protocol", "purego")},
		{result.GoNet, compiled("gonet")},
		{result.Uvloop, b.python("uvloop", "protocol")},
		{result.UvloopStreams, b.python("uvloop", "streams")},
		{result.Python, b.python("asyncio", "protocol")},
		{result.NodeNet, func() (contender, error) {
			node, err := exec.LookPath("node")
			if err != nil {
				err = errAbsent{"there is no node: apt-get install nodejs"}
			}
			return contender{command: []string{node, "--expose-gc", b.bench + "/servers/echo_node.js"}, free: syscall.SIGUSR2}, err
		}},
	}
}

// python runs echo_asyncio.py: on uvloop with a Python that has it, on asyncio with the newest.
func (b builder) python(loops, api string) func() (contender, error) {
	candidates := []string{"/usr/bin/python3", "python3"}
	if loops == "asyncio" {
		newest, _ := filepath.Glob(filepath.Join(pyenvRoot(), "versions", "3.13.*", "bin", "python3"))
		candidates = append(newest, "python3.13", "python3")
	}
	return func() (contender, error) {
		for _, c := range candidates {
			path, err := exec.LookPath(c)
			if err == nil && exec.Command(path, "-c", "import "+loops).Run() == nil {
				script := filepath.Join(b.bench, "servers", "echo_asyncio.py")
				return contender{command: []string{path, script}, args: []string{loops, api}}, nil
			}
		}
		return contender{}, errAbsent{fmt.Sprintf("no Python has %s: apt-get install python3-uvloop", loops)}
	}
}

// prepare makes every contender that ONLY admits ready to start. If there is any, the control comes first.
func prepare(b builder, s settings, rep *result.Report) ([]contender, error) {
	entries := b.entries()
	if !slices.ContainsFunc(entries, func(e entry) bool { return s.wants(e.name) }) {
		return nil, nil
	}
	var ready []contender
	for _, e := range entries {
		if e.name != result.LibuvC && !s.wants(e.name) {
			continue
		}
		c, err := e.make()
		if absent := (errAbsent{}); errors.As(err, &absent) {
			rep.Absent = append(rep.Absent, result.Absent{Name: e.name, Reason: absent.reason})
			continue
		}
		if err != nil && e.name == result.LibuvC {
			return nil, fmt.Errorf("the control cannot be built: %w", err)
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

func pyenvRoot() string {
	if root := os.Getenv("PYENV_ROOT"); root != "" {
		return root
	}
	home, _ := os.UserHomeDir()
	return filepath.Join(home, ".pyenv")
}

// pinned is the command line that runs argv on the given processors only.
func pinned(cpus string, argv []string) []string {
	if cpus == "" {
		return argv
	}
	return append([]string{"taskset", "-c", cpus}, argv...)
}

// runClient runs the load client and returns the line that it prints.
func (m *meter) runClient(args ...string) ([]byte, error) {
	limit := time.Duration((m.seconds+m.warmup)*float64(time.Second)) + time.Minute
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	argv := pinned(m.clientCPU, append([]string{m.client}, args...))
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}
