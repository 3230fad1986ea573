//go:build linux && amd64 && cgo

package faults_test

// Steps of the scenario of package uv, each on a loop of its own: what libuv and the
// bridge do that no driver asks for.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/terminal"
	"github.com/seed-a026a017/asyncio/uv"
)

var uvSteps = []step{
	{"child", onLoop((*uvLoop).child)},
	{"requests", onLoop((*uvLoop).requests)},
	{"files", onLoop((*uvLoop).files)},
	{"watched file", onLoop((*uvLoop).watched)},
	{"poll", onLoop((*uvLoop).poll)},
	{"terminal", onLoop((*uvLoop).terminal)},
	{"system", func(context.Context, string) error { return askSystem() }},
}

// uvLoop is a loop that does one thing after the other.
type uvLoop struct {
	*uv.Loop
	dir string
	err error // the first that a callback has heard
}

// onLoop runs a step on a new loop.
func onLoop(run func(l *uvLoop) error) func(ctx context.Context, dir string) error {
	return func(ctx context.Context, dir string) error {
		loop, err := uv.NewLoop()
		if err != nil {
			return err
		}
		err = run(&uvLoop{Loop: loop, dir: dir})
		return errors.Join(err, loop.Shutdown(ctx))
	}
}

func (l *uvLoop) note(err error) {
	if l.err == nil && !errors.Is(err, io.EOF) {
		l.err = err
	}
}

// finish runs the loop until it has nothing to do.
func (l *uvLoop) finish() error {
	timer, err := l.NewTimer()
	if err != nil {
		return err
	}
	defer timer.Close()
	timer.Unref()
	if err := timer.Start(stepTime, 0, func() { l.err = errHangs; l.Stop() }); err != nil {
		return err
	}
	if _, err := l.Run(uv.RunDefault); err != nil {
		return err
	}
	return l.err
}

// await is a request whose end is awaited.
func (l *uvLoop) await(request func(done func(error)) *uv.Req) error {
	called := false
	request(func(err error) { called = true; l.note(err) })
	err := l.finish()
	l.err = nil
	if err == nil && !called {
		err = wrong("a request has not ended")
	}
	return err
}

func (l *uvLoop) child() error {
	in, err := l.NewPipe()
	if err != nil {
		return err
	}
	out, err := l.NewPipe()
	if err != nil {
		return err
	}
	opt := uv.SpawnOptions{File: "cat", Args: []string{"cat"}, Dir: l.dir, Detached: true, Stdio: []uv.StdioContainer{
		{Kind: uv.StdioCreatePipe, Stream: &in.Stream, Flags: uv.StdioReadable},
		{Kind: uv.StdioCreatePipe, Stream: &out.Stream, Flags: uv.StdioWritable},
	}}
	var said []byte
	var status *uv.ExitStatus
	var p *uv.Process
	if p, err = l.Spawn(opt, func(s uv.ExitStatus) { status = &s; p.Close() }); err != nil {
		return err
	}
	l.note(in.Write(message, func(err error) { l.note(err); in.Close() }))
	l.note(out.ReadStart(func(b []byte, err error) {
		said = append(said, b...)
		if err != nil {
			l.note(err)
			out.Close()
		}
	}))
	if l.err != nil {
		return l.err
	}
	if err := l.finish(); err != nil {
		return err
	}
	if status == nil || *status != (uv.ExitStatus{}) || !bytes.Equal(said, message) {
		return wrong("the child has ended with %v and said %d bytes", status, len(said))
	}
	return nil
}

func (l *uvLoop) requests() error {
	found, bits := 0, make([]byte, 16)
	if _, err := l.GetAddrInfo("localhost", "80", uv.AddrInfoHints{}, func(all []uv.AddrInfo, err error) { l.note(err); found = len(all) }); err != nil {
		return err
	}
	if _, err := l.Random(bits, l.note); err != nil {
		return err
	}
	if err := l.finish(); err != nil {
		return err
	}
	if found == 0 || bytes.Equal(bits, make([]byte, 16)) {
		return wrong("%d addresses, and %x", found, bits)
	}
	return nil
}

func (l *uvLoop) files() error {
	files := l.FS()
	tree := filepath.Join(l.dir, "uv")
	file, copied, link := filepath.Join(tree, "file"), filepath.Join(tree, "copy"), filepath.Join(tree, "link")
	var names []fs.DirEntry
	var target string
	for _, request := range []func(done func(error)) *uv.Req{
		func(done func(error)) *uv.Req { return files.Mkdir(tree, 0o700, done) },
	} {
		if err := l.await(request); err != nil {
			return err
		}
	}
	if err := l.file(file); err != nil {
		return err
	}
	for _, request := range []func(done func(error)) *uv.Req{
		func(done func(error)) *uv.Req { return files.CopyFile(file, copied, 0, done) },
		func(done func(error)) *uv.Req { return files.CopyFile(file, copied, 0, done) }, // over it
		func(done func(error)) *uv.Req { return files.Symlink(copied, link, 0, done) },
		func(done func(error)) *uv.Req {
			return files.Realpath(link, func(path string, err error) { target = path; done(err) })
		},
		func(done func(error)) *uv.Req {
			return files.ReadDir(tree, func(all []fs.DirEntry, err error) { names = all; done(err) })
		},
		func(done func(error)) *uv.Req { return files.Rename(copied, file, done) },
		func(done func(error)) *uv.Req { return files.Remove(link, done) },
	} {
		if err := l.await(request); err != nil {
			return err
		}
	}
	got, err := os.ReadFile(file)
	if err == nil && (len(names) != 3 || target != copied || !bytes.Equal(got, contents)) {
		err = wrong("%d names, %q, %d bytes", len(names), target, len(got))
	}
	return errors.Join(err, os.Remove(file), l.await(func(done func(error)) *uv.Req { return files.Rmdir(tree, done) }))
}

// file writes a file and reads it again.
func (l *uvLoop) file(name string) error {
	var f *uv.File
	err := l.await(func(done func(error)) *uv.Req {
		return l.FS().Open(name, os.O_RDWR|os.O_CREATE, 0o600, func(file *uv.File, err error) { f = file; done(err) })
	})
	if err != nil {
		return err
	}
	n, got := 0, make([]byte, len(contents))
	counted := func(done func(error)) func(int, error) { return func(m int, err error) { n = m; done(err) } }
	for _, request := range []func(done func(error)) *uv.Req{
		func(done func(error)) *uv.Req { return f.Write(contents, counted(done)) },
		func(done func(error)) *uv.Req { return f.Sync(done) },
		func(done func(error)) *uv.Req { return f.Stat(func(_ fs.FileInfo, err error) { done(err) }) },
		func(done func(error)) *uv.Req { return f.ReadAt(got, 0, counted(done)) },
	} {
		if err = l.await(request); err != nil {
			break
		}
	}
	if err == nil && (n != len(contents) || !bytes.Equal(got, contents)) {
		err = wrong("%d bytes were read", n)
	}
	return errors.Join(err, l.await(f.Close))
}

func (l *uvLoop) watched() error {
	e, err := l.NewFSEvent()
	if err != nil {
		return err
	}
	if err := e.Start(l.dir, 0, func(name string, _ uv.FSEvents, err error) { l.note(err); e.Close() }); err != nil {
		return err
	}
	file := filepath.Join(l.dir, "watched")
	if err := os.WriteFile(file, message, 0o600); err != nil {
		return err
	}
	return errors.Join(l.finish(), os.Remove(file))
}

func (l *uvLoop) poll() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	defer w.Close()
	p, err := l.NewPoll(r.Fd())
	if err != nil {
		return err
	}
	if err := p.Start(uv.Readable, func(_ uv.PollEvents, err error) { l.note(err); p.Close() }); err != nil {
		return err
	}
	if _, err := w.Write(message); err != nil {
		return err
	}
	return l.finish()
}

func (l *uvLoop) terminal() error {
	user, program, err := terminal.Open()
	if err != nil {
		return err
	}
	defer syscall.Close(user)
	defer syscall.Close(program)
	t, err := l.NewTTY(uintptr(program))
	if err != nil {
		return err
	}
	if err := t.SetMode(uv.TTYRaw); err != nil {
		return err
	}
	var typed []byte
	if err := t.ReadStart(func(b []byte, err error) {
		if typed = append(typed, b...); err != nil || len(typed) == len(message) {
			l.note(err)
			t.Close()
		}
	}); err != nil {
		return err
	}
	if _, err := syscall.Write(user, message); err != nil {
		return err
	}
	if err := l.finish(); err != nil {
		return err
	}
	if !bytes.Equal(typed, message) {
		return wrong("%d bytes were typed", len(typed))
	}
	return nil
}

// askSystem asks all that libuv knows of the system.
func askSystem() error {
	var errs []error
	cpus, err := uv.CPUInfo()
	if err == nil && len(cpus) == 0 {
		err = wrong("there is no processor")
	}
	errs = append(errs, err)
	_, err = uv.InterfaceAddresses()
	errs = append(errs, err)
	_, err = uv.Passwd()
	errs = append(errs, err)
	_, err = uv.Uptime()
	errs = append(errs, err)
	_, err = uv.RSS()
	errs = append(errs, err)
	for _, text := range []func() (string, error){uv.ExePath, uv.Cwd, uv.Hostname, uv.HomeDir} {
		_, err := text()
		errs = append(errs, err)
	}
	uv.FreeMemory()
	uv.TotalMemory()
	uv.ConstrainedMemory()
	uv.LoadAvg()
	if uv.AvailableParallelism() < 1 {
		errs = append(errs, fmt.Errorf("%w: nothing runs here", errWrong))
	}
	return errors.Join(errs...)
}
