//go:build cgo

package names_test

// A name server that does not answer keeps no connection waiting, and no loop from
// closing. On libuv the resolver is stuck for good, with the one thread that there is: it
// opens a file that is a pipe. On package net the name server is one that never answers.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func init() {
	testkit.RunChild(map[string]func(opts ...asyncio.Option){"stuck": stuckProgram})
}

const stickyName = "asyncio-sticky-name"

// stuckProgram says "ok", or what is wrong.
func stuckProgram(opts ...asyncio.Option) {
	l, err := asyncio.NewEventLoop(opts...)
	if err != nil {
		testkit.Say("%v", err)
		return
	}
	path := filepath.Join(os.TempDir(), fmt.Sprintf("asyncio-aliases-%d", os.Getpid()))
	stuck, release := stuckPipe(path)
	defer release() // under the race detector the process waits for its threads
	if l.Driver() == asyncio.PureGo {
		stuck = stuckNameServer()
	}
	_, err = asyncio.RunUntilComplete(l, asyncio.Do(func(ctx context.Context) error { return besideStuck(ctx, l, stuck) }))
	began := time.Now()
	if err == nil {
		err = l.Close() // with lookups that run
	}
	if took := time.Since(began); err == nil && took > 10*time.Second {
		err = fmt.Errorf("closing took %v", took)
	}
	if err != nil {
		testkit.Say("%v", err)
	} else {
		testkit.Say("ok")
	}
}

// stuckPipe makes lookups stick. stuck reports, again and again, whether one does.
func stuckPipe(path string) (stuck func() bool, release func()) {
	os.Setenv("HOSTALIASES", path)
	os.Setenv("RES_OPTIONS", "timeout:1 attempts:1")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		panic(err)
	}
	var writer *os.File // which nobody writes to
	stuck = func() bool {
		if writer == nil {
			writer, _ = os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		}
		return writer != nil
	}
	return stuck, func() {
		os.Remove(path)
		if writer != nil {
			writer.Close()
		}
	}
}

func stuckNameServer() func() bool {
	asked := make(chan struct{}, 100)
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		asked <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	return func() bool { return len(asked) > 0 }
}

// besideStuck looks a name up that sticks, echoes beside that, and cancels the lookup.
func besideStuck(ctx context.Context, l *asyncio.Loop, stuck func() bool) error {
	server, err := l.CreateServer(ctx, testkit.NewEchoes, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer server.Close()
	asks := func() *asyncio.Task[[]asyncio.AddrInfo] {
		return asyncio.CreateTask(ctx, func(ctx context.Context) ([]asyncio.AddrInfo, error) {
			return l.GetAddrInfo(ctx, "tcp", stickyName, "80")
		})
	}
	first := asks()
	for !stuck() {
		if first.Done() {
			return errors.New("not stuck")
		}
		if err := asyncio.Sleep(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	second := asks() // waits for the thread
	if err := echo(ctx, server.Addrs()[0].String()); err != nil {
		return err
	}
	if first.Done() || second.Done() {
		return errors.New("a lookup has ended by itself")
	}
	turns := asynciotest.CountTurns(l)
	defer turns.Stop()
	before := turns.N()
	for _, task := range []*asyncio.Task[[]asyncio.AddrInfo]{first, second} {
		task.Cancel()
		if _, err := task.Await(ctx); !errors.Is(err, asyncio.ErrCancelled) {
			return fmt.Errorf("cancelled: %w", err)
		}
	}
	if n := turns.N() - before; n > 4 { // two for each: the task is woken, and then whoever awaits it
		return fmt.Errorf("to cancel took %d turns", n)
	}
	err = asyncio.Timeout(ctx, 50*time.Millisecond, func(ctx context.Context) error {
		_, _, err := asyncio.OpenConnection(ctx, "tcp", stickyName+":80")
		return err
	})
	if !errors.Is(err, asyncio.ErrTimeout) {
		return fmt.Errorf("a connect by that name: %w", err)
	}
	return echo(ctx, server.Addrs()[0].String())
}

// echo sends and receives 200 times.
func echo(ctx context.Context, addr string) error {
	r, w, err := asyncio.OpenConnection(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer w.Close()
	message := bytes.Repeat([]byte("e"), 100)
	for range 200 {
		if _, err := w.Write(message); err != nil {
			return err
		}
		if _, err := r.ReadExactly(ctx, len(message)); err != nil {
			return err
		}
	}
	return nil
}

func TestStuckNameServer(t *testing.T) {
	exe, err := os.Executable()
	require.NoError(t, err)
	for _, d := range asynciotest.Drivers() {
		t.Run(d.String(), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), asynciotest.HangLimit)
			defer cancel()
			cmd := exec.CommandContext(ctx, exe)
			cmd.Env = append(testkit.ChildEnv("stuck", d), "UV_THREADPOOL_SIZE=1")
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			cmd.WaitDelay = time.Second
			err := cmd.Run()
			if out.String() == "not stuck\n" {
				t.Skip("this system's resolver does not heed HOSTALIASES")
			}
			require.NoError(t, err, "%s", out.String())
			require.Equal(t, "ok\n", out.String())
		})
	}
}
