//go:build unix

package processes_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// forever is a child that runs until it is killed.
var forever = asyncio.ProcessOptions{Args: []string{"sleep", "3600"}}

// inTask runs test as a task of a loop on each driver. It must leave no child behind.
func inTask(t *testing.T, test func(t *testing.T, ctx context.Context)) {
	t.Helper()
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Cleanup(func() { requireNoChildren(t) })
		asynciotest.Run(t, func(ctx context.Context) error {
			test(t, ctx)
			return nil
		}, opts...)
	})
}

// requireNoChildren fails the test if this process has a child, or a zombie, that does
// not end by itself.
func requireNoChildren(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return !testkit.HaveChildren() }, asynciotest.HangLimit, time.Millisecond, "a child is left")
}

// start starts a child.
func start(t *testing.T, ctx context.Context, opts asyncio.ProcessOptions) *asyncio.Process {
	t.Helper()
	p, err := asyncio.CreateSubprocess(ctx, opts)
	require.NoError(t, err)
	return p
}

// ends waits for the child, which must have the return code.
func ends(t *testing.T, ctx context.Context, p *asyncio.Process, code int) {
	t.Helper()
	got, err := p.Wait(ctx)
	require.NoError(t, err)
	require.Equal(t, code, got)
	got, exited := p.ReturnCode()
	require.True(t, exited)
	require.Equal(t, code, got)
}

// piped is a child whose standard files are pipes.
func piped(args ...string) asyncio.ProcessOptions {
	pipe := asyncio.Stdio{Kind: asyncio.Pipe}
	return asyncio.ProcessOptions{Args: args, Stdin: pipe, Stdout: pipe, Stderr: pipe}
}

// shell is a shell whose standard files are pipes.
func shell(command string) asyncio.ProcessOptions {
	opts := piped()
	opts.Shell = command
	return opts
}

// runs runs a child that must succeed, and returns what it has written.
func runs(t *testing.T, ctx context.Context, opts asyncio.ProcessOptions, input string) (stdout, stderr string) {
	t.Helper()
	p := start(t, ctx, opts)
	out, errs, err := p.Communicate(ctx, []byte(input))
	require.NoError(t, err)
	code, exited := p.ReturnCode()
	require.True(t, exited)
	require.Zero(t, code, "stderr: %s", errs)
	return string(out), string(errs)
}

// says reads a line of the child's.
func says(t *testing.T, ctx context.Context, r *asyncio.StreamReader, line string) {
	t.Helper()
	got, err := r.ReadLine(ctx)
	require.NoError(t, err)
	require.Equal(t, line+"\n", string(got))
}

// osPipe is a pipe that is closed at the end of the test.
func osPipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	closeAtEnd(t, r, w)
	return r, w
}

func closeAtEnd(t *testing.T, closers ...io.Closer) {
	t.Cleanup(func() {
		for _, c := range closers {
			_ = c.Close()
		}
	})
}

// script makes an executable file.
func script(t *testing.T, mode os.FileMode, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script")
	require.NoError(t, os.WriteFile(path, []byte(text), mode))
	return path
}

// tap is a SubprocessProtocol that keeps what it hears.
type tap struct {
	asynciotest.Trace
	loop      *asyncio.Loop
	transport *asyncio.SubprocessTransport
	received  [3]string
	pipesLost [3]*asyncio.Future[error]
	exited    *asyncio.Future[asyncio.None]
	lost      *asyncio.Future[error]
	onEvent   func(event string)
}

func newTap(ctx context.Context) *tap {
	l := testkit.LoopOf(ctx)
	p := &tap{loop: l, exited: asyncio.NewFuture[asyncio.None](l), lost: asyncio.NewFuture[error](l)}
	for fd := range p.pipesLost {
		p.pipesLost[fd] = asyncio.NewFuture[error](l)
	}
	return p
}

func (p *tap) hear(event string) {
	p.Add(event)
	if p.onEvent != nil {
		p.onEvent(event)
	}
}

func (p *tap) ConnectionMade(t *asyncio.SubprocessTransport) {
	p.transport = t
	p.hear("made")
}

var fdNames = [3]string{"in", "out", "err"}

func (p *tap) PipeDataReceived(fd int, data []byte) {
	p.received[fd] += string(data)
	p.hear(fdNames[fd] + " data")
}

func (p *tap) PipeConnectionLost(fd int, err error) {
	_ = p.pipesLost[fd].SetResult(err)
	p.hear(fdNames[fd] + " lost")
}

func (p *tap) ProcessExited() {
	_ = p.exited.SetResult(asyncio.None{})
	p.hear("exited")
}

func (p *tap) ConnectionLost(err error) {
	if p.lost.SetResult(err) != nil {
		p.Add("lost again")
	}
	p.hear("lost")
}

// startTap starts a child of a tap.
func startTap(t *testing.T, ctx context.Context, opts asyncio.ProcessOptions) *tap {
	t.Helper()
	p := newTap(ctx)
	tr, protocol, err := p.loop.SubprocessExec(ctx, func() asyncio.SubprocessProtocol { return p }, opts)
	require.NoError(t, err)
	require.Same(t, p, protocol)
	require.Same(t, p.transport, tr)
	require.Equal(t, "made", p.Events()[0])
	return p
}

// gives awaits f.
func gives[T any](t *testing.T, ctx context.Context, f *asyncio.Future[T]) T {
	t.Helper()
	v, err := f.Await(ctx)
	require.NoError(t, err)
	return v
}

// descriptors is how many this process has that children need: pipes, null devices and
// children themselves. A loop has others, which come and go.
func descriptors(t *testing.T) (n int) {
	t.Helper()
	const dir = "/dev/fd"
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err == nil && (strings.HasPrefix(target, "pipe:") || target == os.DevNull || strings.Contains(target, "pidfd")) {
			n++
		}
	}
	return n
}

func itoa(n int) string { return strconv.Itoa(n) }
