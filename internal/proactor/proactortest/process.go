package proactortest

// Cases about processes. The programs are /bin/sh and what it has built in.

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// child is one call of Spawn, and what became of it.
type child struct {
	r       *rig
	files   []*os.File
	cancel  func()
	process proactor.Process
	err     error
	dones   int
	exits   int
	status  proactor.ExitStatus
	onDone  func()
}

// startChild runs a command of the shell's, with /dev/null for its standard files and the
// files after them.
func (r *rig) startChild(command string, files ...*os.File) *child {
	r.t.Helper()
	return r.spawnChild(proactor.SpawnOptions{Path: "/bin/sh", Args: []string{"sh", "-c", command}, Env: os.Environ()}, files...)
}

func (r *rig) spawnChild(opt proactor.SpawnOptions, files ...*os.File) *child {
	r.t.Helper()
	if runtime.GOOS == "windows" {
		r.t.Skip("the programs are those of Unix")
	}
	c := &child{r: r}
	for range 3 {
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		require.NoError(r.t, err)
		c.files = append(c.files, null)
	}
	c.files = append(c.files, files...)
	opt.Files = c.files
	c.cancel = r.p.Spawn(opt, c.done, c.exited)
	return c
}

func (c *child) done(p proactor.Process, err error) {
	defer c.r.handler("done")()
	c.dones++
	c.process, c.err = p, err
	if (p == nil) == (err == nil) {
		c.r.t.Errorf("done got %v and %v", p, err)
	}
	if c.onDone != nil {
		c.onDone()
	}
}

func (c *child) exited(s proactor.ExitStatus) {
	defer c.r.handler("exited")()
	c.exits++
	c.status = s
	if c.process == nil {
		c.r.t.Error("exited before done, or without a child")
	}
}

// runs polls until the child runs.
func (c *child) runs() {
	c.r.t.Helper()
	c.r.until("the start", func() bool { return c.dones > 0 })
	require.NoError(c.r.t, c.err)
	require.Positive(c.r.t, c.process.PID())
}

// ends polls until the child has ended, with the code.
func (c *child) ends(code int) {
	c.r.t.Helper()
	c.r.until("the end", func() bool { return c.exits > 0 })
	require.NoError(c.r.t, c.status.Err)
	require.Equal(c.r.t, code, c.status.Code)
}

// filesClosed requires that the driver has closed what it was given.
func (c *child) filesClosed() {
	c.r.t.Helper()
	for i, f := range c.files {
		require.ErrorIs(c.r.t, f.Close(), os.ErrClosed, "file %d", i)
	}
}

// gone polls until there is no process of the number, not even a zombie.
func (r *rig) gone(pid int) {
	r.t.Helper()
	r.until("the end of the zombie", func() bool {
		r.p.Wake()
		return rawKill(pid) == syscall.ESRCH
	})
}

// pipeTo is a pipe whose writing end a child gets; read returns what all writers have
// written.
func (r *rig) pipeTo() (w *os.File, read func() string) {
	r.t.Helper()
	out, w, err := os.Pipe()
	require.NoError(r.t, err)
	r.own(out)
	return w, func() string {
		var all []byte
		r.do("read", func() { all, _ = io.ReadAll(out) })
		return string(all)
	}
}

// gate is a pipe on which a child waits: "read x <&3" returns after open.
func (r *rig) gate() (in *os.File, open func()) {
	r.t.Helper()
	in, out, err := os.Pipe()
	require.NoError(r.t, err)
	r.own(out)
	return in, func() { require.NoError(r.t, out.Close()) }
}

var processCases = []testCase{
	{name: "a program starts and ends", run: func(r *rig) {
		for _, code := range []int{0, 1, 7, 255} {
			c := r.startChild(fmt.Sprintf("exit %d", code))
			c.runs()
			c.filesClosed()
			c.ends(code)
			require.Equal(r.t, 1, c.dones)
			r.settle()
			require.Equal(r.t, 1, c.exits)
			require.ErrorIs(r.t, c.process.Kill(syscall.SIGTERM), os.ErrProcessDone)
			require.ErrorIs(r.t, c.process.Kill(0), os.ErrProcessDone)
			r.gone(c.process.PID())
		}
	}},
	{name: "done is not called inside Spawn", run: func(r *rig) {
		c := r.startChild("exit 0")
		require.Zero(r.t, c.dones)
		c.runs()
		c.cancel()
		c.ends(0)
	}},
	{name: "name, environment, directory and descriptors", run: func(r *rig) {
		w, read := r.pipeTo()
		c := r.spawnChild(proactor.SpawnOptions{
			Path: "/bin/sh",
			Args: []string{"a name", "-c", `{ echo "$0"; echo "$ONLY"; pwd; echo "$HOME"; } >&3`},
			Env:  []string{"ONLY=this one"},
			Dir:  "/",
		}, w)
		c.ends(0)
		require.Equal(r.t, "a name\nthis one\n/\n\n", read())
	}},
	{name: "the child has no other descriptors of this process", run: func(r *rig) {
		if _, err := os.Stat("/proc/self/fd"); err != nil {
			r.t.Skip("this system does not tell")
		}
		inherited, read := r.pipeTo()
		r.startChild("ls -l /proc/self/fd >&3", inherited).ends(0)
		before := strings.Count(read(), " -> ")
		r.settle() // which opens sockets
		hidden, out, err := os.Pipe()
		require.NoError(r.t, err)
		r.own(hidden)
		r.own(out)
		inherited, read = r.pipeTo()
		r.startChild("ls -l /proc/self/fd >&3", inherited).ends(0)
		require.Equal(r.t, before, strings.Count(read(), " -> "))
	}},
	{name: "files of the lowest numbers, in any order", run: func(r *rig) {
		w, read := r.pipeTo()
		null, err := os.Open(os.DevNull)
		require.NoError(r.t, err)
		c := &child{r: r, files: []*os.File{null, w}}
		c.cancel = r.p.Spawn(proactor.SpawnOptions{Path: "/bin/sh", Args: []string{"sh", "-c", "echo out"}, Files: c.files}, c.done, c.exited)
		c.ends(0)
		require.Equal(r.t, "out\n", read())
		c.filesClosed()
	}},
	{name: "a session of its own", run: func(r *rig) {
		for _, alone := range []bool{false, true} {
			in, open := r.gate()
			c := r.spawnChild(proactor.SpawnOptions{Path: "/bin/sh", Args: []string{"sh", "-c", "read x <&3; exit 2"}, NewSession: alone}, in)
			c.runs()
			require.Equal(r.t, alone, rawSession(r.t, c.process.PID()) == c.process.PID())
			open()
			c.ends(2)
		}
	}},
	{name: "signals", run: func(r *rig) {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL, syscall.SIGHUP} {
			in, _ := r.gate()
			c := r.startChild("read x <&3", in)
			c.runs()
			require.NoError(r.t, c.process.Kill(0))
			require.ErrorIs(r.t, c.process.Kill(-1), syscall.EINVAL)
			require.ErrorIs(r.t, c.process.Kill(1000), syscall.EINVAL)
			r.settle()
			require.Zero(r.t, c.exits)
			require.NoError(r.t, c.process.Kill(sig))
			c.ends(-int(sig))
		}
	}},
	{name: "what cannot start", run: func(r *rig) {
		for _, refused := range []struct {
			opt  proactor.SpawnOptions
			want error
		}{
			{proactor.SpawnOptions{Path: "/no/such/program", Args: []string{"x"}}, os.ErrNotExist},
			{proactor.SpawnOptions{Path: "./no-such-program", Args: []string{"x"}}, os.ErrNotExist},
			{proactor.SpawnOptions{Path: "/", Args: []string{"x"}}, os.ErrPermission},
			{proactor.SpawnOptions{Path: "/bin/sh/x", Args: []string{"x"}}, syscall.ENOTDIR},
			{proactor.SpawnOptions{Path: "/bin/sh", Args: []string{"x"}, Dir: "/no/such/dir"}, os.ErrNotExist},
			{proactor.SpawnOptions{Path: "/bin/sh", Args: []string{"x"}, Dir: "/bin/sh"}, syscall.ENOTDIR},
		} {
			c := r.spawnChild(refused.opt)
			r.until("the failure", func() bool { return c.dones > 0 })
			require.ErrorIs(r.t, c.err, refused.want)
			c.filesClosed()
			c.cancel()
			r.settle()
			require.Equal(r.t, 1, c.dones)
			require.Zero(r.t, c.exits)
		}
	}},
	{name: "a start that is cancelled", run: func(r *rig) {
		for polls := range 4 {
			w, read := r.pipeTo()
			in, _ := r.gate()
			c := r.startChild("read x <&4; echo alive >&3", w, in)
			for range polls {
				r.poll(0)
			}
			if c.dones > 0 {
				require.NoError(r.t, c.process.Kill(syscall.SIGKILL))
				c.ends(-int(syscall.SIGKILL))
				continue
			}
			c.cancel()
			c.cancel()
			r.until("done", func() bool { return c.dones > 0 })
			require.ErrorIs(r.t, c.err, context.Canceled)
			require.Empty(r.t, read(), "the child was killed, if there was one")
			c.filesClosed()
			r.settle()
			require.Equal(r.t, 1, c.dones)
			require.Zero(r.t, c.exits)
		}
	}},
	{name: "cancelled by another one's done", run: func(r *rig) {
		const children = 8
		var all []*child
		for range children {
			all = append(all, r.startChild("exit 0"))
		}
		for _, c := range all {
			c.onDone = func() {
				for _, other := range all {
					other.cancel()
				}
			}
		}
		r.until("all", func() bool {
			for _, c := range all {
				if c.dones == 0 || c.err == nil && c.exits == 0 {
					return false
				}
			}
			return true
		})
	}},
	{name: "many at once, beside those of package os/exec", run: func(r *rig) {
		const children = 40
		var all []*child
		for i := range children {
			all = append(all, r.startChild(fmt.Sprintf("exit %d", i)))
		}
		others := r.spawn(func() {
			for range children {
				if err := exec.Command("/bin/sh", "-c", "exit 0").Run(); err != nil {
					r.t.Errorf("os/exec: %v", err)
				}
			}
		})
		for i, c := range all {
			c.ends(i)
		}
		r.until("the others", others)
	}},
	{name: "Close leaves a child that runs to itself, and no zombie", run: func(r *rig) {
		out, w, err := os.Pipe()
		require.NoError(r.t, err)
		defer out.Close()
		in, open := r.gate()
		c := r.startChild("read x <&3; echo alive >&4", in, w)
		c.runs()
		pid := c.process.PID()
		r.close()
		open()
		all, err := io.ReadAll(out)
		require.NoError(r.t, err)
		require.Equal(r.t, "alive\n", string(all))
		for rawKill(pid) != syscall.ESRCH {
			runtime.Gosched()
		}
	}},
	{name: "Close while programs start", run: func(r *rig) {
		for range 3 {
			r.startChild("exit 0")
			r.poll(0)
		}
		last := r.startChild("exit 0")
		r.close()
		require.Zero(r.t, last.dones)
		for _, err := last.files[2].Stat(); err == nil; _, err = last.files[2].Stat() {
			runtime.Gosched() // the driver closes it, now or soon
		}
		after := r.startChild("exit 0")
		after.cancel()
		after.filesClosed()
		require.Zero(r.t, after.dones)
	}},
	{name: "Close in done", run: func(r *rig) {
		c := r.startChild("exit 0")
		c.onDone = r.close
		r.until("done", func() bool { return c.dones > 0 })
		for rawKill(c.process.PID()) != syscall.ESRCH {
			runtime.Gosched()
		}
	}},
	{name: "without descriptors", run: func(r *rig) {
		c := &child{r: r}
		withoutDescriptors(r.t, func() {
			c.cancel = r.p.Spawn(proactor.SpawnOptions{Path: "/bin/sh", Args: []string{"sh", "-c", "exit 0"}}, c.done, c.exited)
			r.until("done", func() bool { return c.dones > 0 })
		})
		if c.err == nil {
			c.ends(0)
			return
		}
		require.ErrorIs(r.t, c.err, syscall.EMFILE)
		r.settle()
		require.Zero(r.t, c.exits)
	}},
}
