//go:build linux && amd64

package faults_test

// Steps of the scenarios of children and of files. Where no call fails,
// they look at what has come, as a call that fails in silence loses something.

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/seed-a026a017/asyncio"
)

// The sizes differ from those of the system's own messages, which never fail.
var (
	message  = bytes.Repeat([]byte("message "), 100)
	contents = bytes.Repeat([]byte("contents"), 20_000)
)

func wrong(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errWrong, fmt.Errorf(format, args...))
}

// cat is a child that says what it is told.
func cat(dir string) asyncio.ProcessOptions {
	return asyncio.ProcessOptions{
		Args: []string{"cat"}, Dir: dir, NewSession: true,
		Stdin: asyncio.Stdio{Kind: asyncio.Pipe}, Stdout: asyncio.Stdio{Kind: asyncio.Pipe}, Stderr: asyncio.Stdio{Kind: asyncio.DevNull},
	}
}

// process talks to a child by streams.
func process(ctx context.Context, dir string) error {
	p, err := asyncio.CreateSubprocess(ctx, cat(dir))
	if err != nil {
		return err
	}
	said, err := talk(ctx, p)
	if err != nil {
		_ = p.Kill()
	}
	code, waitErr := p.Wait(ctx)
	switch {
	case err != nil:
		return err
	case waitErr != nil:
		return waitErr
	case code != 0 || !bytes.Equal(said, message):
		return wrong("the child has ended with %d and said %d bytes", code, len(said))
	}
	return nil
}

func talk(ctx context.Context, p *asyncio.Process) ([]byte, error) {
	if _, err := p.Stdin.Write(message); err != nil {
		return nil, err
	}
	if err := p.Stdin.Drain(ctx); err != nil {
		return nil, err
	}
	if err := p.Stdin.Close(); err != nil {
		return nil, err
	}
	if err := p.Stdin.WaitClosed(ctx); err != nil {
		return nil, err
	}
	return p.Stdout.ReadAll(ctx)
}

// childTap is the protocol of a child. It keeps what it hears, and the first error.
type childTap struct {
	said []byte
	err  error
	lost *asyncio.Event
}

func (p *childTap) ConnectionMade(t *asyncio.SubprocessTransport) {
	in := t.PipeTransport(0)
	if _, err := in.Write(message); err != nil {
		p.err = err
	}
	in.Close()
}

func (p *childTap) PipeDataReceived(_ int, data []byte) { p.said = append(p.said, data...) }

func (p *childTap) PipeConnectionLost(_ int, err error) {
	if p.err == nil {
		p.err = err
	}
}

func (p *childTap) ProcessExited()         {}
func (p *childTap) ConnectionLost(_ error) { p.lost.Set() }

// subprocess talks to a child by a protocol.
func subprocess(ctx context.Context, dir string) error {
	l, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return err
	}
	p := &childTap{lost: asyncio.NewEvent()}
	t, _, err := l.SubprocessExec(ctx, func() asyncio.SubprocessProtocol { return p }, cat(dir))
	if err != nil {
		return err
	}
	defer t.Close()
	if err := p.lost.Wait(ctx); err != nil {
		return err
	}
	if code, _ := t.ReturnCode(); p.err == nil && (code != 0 || !bytes.Equal(p.said, message)) {
		return wrong("the child has ended with %d and said %d bytes", code, len(p.said))
	}
	return p.err
}

// signalled sends a signal to itself.
func signalled(ctx context.Context, _ string) error {
	l, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return err
	}
	came := asyncio.NewEvent()
	if err := l.AddSignalHandler(syscall.SIGUSR1, came.Set); err != nil {
		return err
	}
	defer l.RemoveSignalHandler(syscall.SIGUSR1)
	if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
		return err
	}
	return came.Wait(ctx)
}

// tree makes a tree, reads it again, and removes it.
func tree(ctx context.Context, dir string) error {
	root := filepath.Join(dir, "tree")
	file, moved := filepath.Join(root, "sub", "file"), filepath.Join(root, "moved")
	if err := asyncio.MkdirAll(ctx, filepath.Dir(file), 0o700); err != nil {
		return err
	}
	if err := asyncio.WriteFile(ctx, file, contents, 0o600); err != nil {
		return err
	}
	if err := change(ctx, file); err != nil {
		return err
	}
	if err := asyncio.Rename(ctx, file, moved); err != nil {
		return err
	}
	if got, err := asyncio.ReadFile(ctx, moved); err != nil {
		return err
	} else if !bytes.Equal(got, append(message, contents[len(message):]...)) {
		return wrong("a file has %d bytes, or others", len(got))
	}
	found := 0
	err := asyncio.WalkDir(ctx, root, func(_ string, _ fs.DirEntry, err error) error {
		found++
		return err
	})
	if err == nil && found != 3 {
		err = wrong("the walk has found %d", found)
	}
	if err != nil {
		return err
	}
	for _, name := range []string{moved, filepath.Dir(file), root} {
		if err := asyncio.Remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// change puts message at the beginning of a file, and leaves nothing behind the contents.
func change(ctx context.Context, name string) (err error) {
	f, err := asyncio.OpenFile(ctx, name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := f.Close(ctx); err == nil {
			err = closeErr
		}
	}()
	if _, err := f.WriteAt(ctx, message, 0); err != nil {
		return err
	}
	end, err := f.Seek(ctx, 0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err := f.Write(ctx, message); err != nil {
		return err
	}
	if err := f.Truncate(ctx, end); err != nil {
		return err
	}
	if err := f.Sync(ctx); err != nil {
		return err
	}
	if info, err := f.Stat(ctx); err != nil {
		return err
	} else if info.Size() != int64(len(contents)) {
		return wrong("a file has %d bytes", info.Size())
	}
	got := make([]byte, len(message))
	if _, err := f.ReadAt(ctx, got, 0); err != nil {
		return err
	}
	if !bytes.Equal(got, message) {
		return wrong("%q was read", got)
	}
	return nil
}

// watch hears of a file that is made, renamed and removed.
func watch(ctx context.Context, dir string) error {
	watched := filepath.Join(dir, "watched")
	if err := os.Mkdir(watched, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(watched)
	w, err := asyncio.WatchFiles(ctx, watched)
	if err != nil {
		return err
	}
	defer w.Close()
	file, moved := filepath.Join(watched, "file"), filepath.Join(watched, "moved")
	if err := os.WriteFile(file, message, 0o600); err != nil {
		return err
	}
	if err := hears(ctx, w, file, asyncio.FileCreated); err != nil {
		return err
	}
	if err := os.Rename(file, moved); err != nil {
		return err
	}
	if err := hears(ctx, w, moved, asyncio.FileRenamed); err != nil {
		return err
	}
	if err := os.Remove(moved); err != nil {
		return err
	}
	return hears(ctx, w, moved, asyncio.FileRemoved)
}

// hears waits for a change, which comes first but for changes of contents.
func hears(ctx context.Context, w *asyncio.FileWatcher, name string, op asyncio.FileOp) error {
	for {
		c, err := w.Next(ctx)
		switch {
		case err != nil || c.Name == name && c.Op == op:
			return err
		case c.Op != asyncio.FileChanged:
			return wrong("%v, and not %v of %s", c, op, name)
		}
	}
}

// pipeTap is the protocol of one end of a pipe.
type pipeTap struct {
	asyncio.NullProtocol
	came []byte
	err  error
	lost *asyncio.Event
}

func newPipeTap() *pipeTap { return &pipeTap{lost: asyncio.NewEvent()} }

func (p *pipeTap) DataReceived(data []byte) { p.came = append(p.came, data...) }

func (p *pipeTap) ConnectionLost(err error) {
	p.err = err
	p.lost.Set()
}

// pipes sends more than a pipe holds through one.
func pipes(ctx context.Context, _ string) error {
	l, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	defer w.Close()
	reader, writer := newPipeTap(), newPipeTap()
	in, _, err := l.ConnectReadPipe(ctx, func() asyncio.Protocol { return reader }, r)
	if err != nil {
		return err
	}
	defer in.Close()
	out, _, err := l.ConnectWritePipe(ctx, func() asyncio.Protocol { return writer }, w)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := out.Write(contents); err != nil {
		return err
	}
	out.Close()
	for _, end := range []*pipeTap{writer, reader} {
		if err := end.lost.Wait(ctx); err != nil {
			return err
		}
		if end.err != nil {
			return end.err
		}
	}
	if !bytes.Equal(reader.came, contents) {
		return wrong("%d bytes have come", len(reader.came))
	}
	return nil
}
