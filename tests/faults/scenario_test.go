//go:build linux && amd64

package faults_test

// The program in which calls fail: a bit of everything that the library does, on a loop
// of its own. Each step has a time that it cannot use up unless it hangs.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

const (
	patience  = 30 * time.Second
	stepTime  = 8 * time.Second // the pause after an error of accept is in it
	resendAll = 200 * time.Millisecond
)

// errHangs is that of a step which did not end in its time.
var errHangs = errors.New("hangs")

// errWrong is that of a step in which something was lost, and no call has said so.
var errWrong = errors.New("nothing has failed, and the result is wrong")

type step struct {
	name string
	run  func(ctx context.Context, dir string) error
}

// scenario is some of the steps: each has few calls of a kind, so that each of them fails
// in one of the rounds.
type scenario struct {
	name  string
	steps []step
}

const (
	network  = "network"
	children = "children"
	files    = "files"
	libuv    = "libuv"
)

var scenarios = []scenario{
	{network, []step{
		{"timer", timer},
		{"tcp", func(ctx context.Context, dir string) error { return echo(ctx, "tcp", "127.0.0.1:0") }},
		{"unix", func(ctx context.Context, dir string) error { return echo(ctx, "unix", filepath.Join(dir, "s")) }},
		{"datagrams", datagrams},
		{"resolve", resolve},
		{"sendfile", sendfile},
		{"descriptor", descriptor},
		{"thread", thread},
	}},
	{children, []step{
		{"process", process},
		{"subprocess", subprocess},
		{"signal", signalled},
	}},
	{files, []step{
		{"tree", tree},
		{"watch", watch},
		{"pipes", pipes},
	}},
	{libuv, uvSteps},
}

// run runs all steps on a new loop. Every error is in what it returns.
func (s scenario) run(driver asyncio.Option) error {
	dir, err := os.MkdirTemp("/tmp", "faults")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	quiet := asyncio.WithLogger(slog.New(slog.DiscardHandler))
	_, err = asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		var errs []error
		for _, s := range s.steps {
			err := asyncio.Timeout(ctx, stepTime, func(ctx context.Context) error { return s.run(ctx, dir) })
			if errors.Is(err, asyncio.ErrTimeout) {
				err = fmt.Errorf("%w: %w", errHangs, err)
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", s.name, err))
			}
		}
		return errors.Join(errs...)
	}), driver, quiet)
	return err
}

func timer(ctx context.Context, _ string) error { return asyncio.Sleep(ctx, time.Millisecond) }

// echo sends a small and a large message to a server, which sends them back.
func echo(ctx context.Context, network, address string) error {
	s, err := asyncio.StartServer(ctx, func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
		defer w.Close()
		for buf := make([]byte, 32<<10); ; {
			n, err := r.Read(ctx, buf)
			if err == io.EOF {
				return nil
			}
			if err == nil {
				_, err = w.Write(buf[:n])
			}
			if err == nil {
				err = w.Drain(ctx)
			}
			if err != nil {
				return nil // the peer sees it
			}
		}
	}, network, address)
	if err != nil {
		return err
	}
	defer func() {
		s.Close()
		s.AbortClients()
		_ = s.WaitClosed(ctx)
	}()
	r, w, err := asyncio.OpenConnection(ctx, network, s.Addrs()[0].String())
	if err != nil {
		return err
	}
	defer func() {
		_ = w.Close()
		_ = w.WaitClosed(ctx)
	}()
	for _, size := range []int{5, 100_000} {
		if _, err := w.Write(make([]byte, size)); err != nil {
			return err
		}
		if _, err := r.ReadExactly(ctx, size); err != nil {
			return err
		}
	}
	if err := w.WriteEOF(); err != nil {
		return err
	}
	_, err = r.ReadAll(ctx)
	return err
}

// datagrams sends to itself until one arrives, as datagrams may be lost.
func datagrams(ctx context.Context, _ string) error {
	e, err := asyncio.OpenDatagram(ctx, "udp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() {
		_ = e.Close()
		_ = e.WaitClosed(ctx)
	}()
	for {
		if err := e.SendTo([]byte("hello"), e.LocalAddr()); err != nil {
			return err
		}
		err := asyncio.Timeout(ctx, resendAll, func(ctx context.Context) error {
			_, _, err := e.Receive(ctx)
			return err
		})
		if !errors.Is(err, asyncio.ErrTimeout) || ctx.Err() != nil {
			return err
		}
	}
}

func resolve(ctx context.Context, _ string) error {
	l, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return err
	}
	if _, err := l.GetAddrInfo(ctx, "tcp", "localhost", "80"); err != nil {
		return err
	}
	_, _, err = l.GetNameInfo(ctx, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80})
	return err
}

// sendfile sends a file over a connection, whose other end answers with its size.
func sendfile(ctx context.Context, dir string) error {
	path := filepath.Join(dir, "file")
	const size = 200_000
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	s, err := asyncio.StartServer(ctx, func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
		defer w.Close()
		all, err := r.ReadAll(ctx)
		if err == nil {
			_, err = fmt.Fprintln(w, len(all))
		}
		return err
	}, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() {
		s.Close()
		s.AbortClients()
		_ = s.WaitClosed(ctx)
	}()
	r, w, err := asyncio.OpenConnection(ctx, "tcp", s.Addrs()[0].String())
	if err != nil {
		return err
	}
	defer func() {
		_ = w.Close()
		_ = w.WaitClosed(ctx)
	}()
	if _, err := w.Transport().Loop().Sendfile(ctx, w.Transport(), f, 0, -1, true); err != nil {
		return err
	}
	if err := w.WriteEOF(); err != nil {
		return err
	}
	came, err := r.ReadAll(ctx)
	if err == nil && string(came) != fmt.Sprintln(size) {
		err = fmt.Errorf("%q came", came)
	}
	return err
}

// descriptor watches a pipe.
func descriptor(ctx context.Context, _ string) error {
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
	fd := int(r.Fd())
	came := asyncio.NewEvent()
	if err := l.AddReader(fd, came.Set); err != nil {
		return err
	}
	defer l.RemoveReader(fd)
	if _, err := w.Write([]byte("x")); err != nil {
		return err
	}
	return came.Wait(ctx)
}

func thread(ctx context.Context, _ string) error {
	n, err := asyncio.ToThread(ctx, func(context.Context) (int, error) { return 5, nil })
	if err == nil && n != 5 {
		err = fmt.Errorf("%d for 5", n)
	}
	return err
}

// holdings is what the process has at a moment.
type holdings struct {
	goroutines, descriptors int
	children                bool // that run, or that nobody has waited for
}

func held() holdings {
	fds, _ := os.ReadDir("/proc/self/fd")
	return holdings{runtime.NumGoroutine(), len(fds), testkit.HaveChildren()}
}

// left says what the process has more than it had, if that does not end in time.
func (before holdings) left() error {
	now := held()
	for end := time.Now().Add(5 * time.Second); now.goroutines > before.goroutines || now.descriptors > before.descriptors || now.children; now = held() {
		if time.Now().After(end) {
			stacks := make([]byte, 64<<10)
			stacks = stacks[:runtime.Stack(stacks, true)]
			return fmt.Errorf("it had %+v, and has %+v:\n%s", before, now, stacks)
		}
		time.Sleep(time.Millisecond) // between two looks; what comes next does not depend on it
	}
	return nil
}
