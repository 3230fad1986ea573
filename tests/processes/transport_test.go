//go:build unix

package processes_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// requireOrder fails the test unless what the tap has heard is in the order that it
// promises.
func requireOrder(t *testing.T, p *tap) {
	t.Helper()
	events := p.Events()
	require.Equal(t, "made", events[0])
	require.Equal(t, "lost", events[len(events)-1])
	for _, once := range []string{"made", "exited", "lost"} {
		require.Equal(t, 1, p.Count(once), "%v", events)
	}
	for fd, name := range fdNames {
		require.Equal(t, p.transport.PipeTransport(fd) != nil, slices.Contains(events, name+" lost"))
		require.LessOrEqual(t, p.Count(name+" lost"), 1)
		if at := slices.Index(events, name+" lost"); at >= 0 {
			require.NotContains(t, events[at:], name+" data", "%v", events)
		}
	}
}

func TestSubprocess(t *testing.T) {
	t.Run("SUB-08", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			p := startTap(t, ctx, piped("sleep", "3600"))
			require.False(t, p.transport.IsClosing())
			p.transport.Close()
			p.transport.Close()
			require.True(t, p.transport.IsClosing())
			require.Equal(t, []string{"made"}, p.Events(), "nothing is heard inside Close")
			require.NoError(t, gives(t, ctx, p.lost))
			requireOrder(t, p)
			code, exited := p.transport.ReturnCode()
			require.True(t, exited)
			require.Equal(t, -int(syscall.SIGKILL), code)

			p = startTap(t, ctx, shell("exit 6"))
			gives(t, ctx, p.lost)
			p.transport.Close()
			code, _ = p.transport.ReturnCode()
			require.Equal(t, 6, code)

			// The child has ended, and the loop does not know.
			p = startTap(t, ctx, shell("exit 6"))
			awaitEnd(t, p.transport.PID())
			_, exited = p.transport.ReturnCode()
			require.False(t, exited)
			p.transport.Close()
			gives(t, ctx, p.lost)
			code, _ = p.transport.ReturnCode()
			require.Equal(t, 6, code)
		})
	})
	t.Run("SUB-09", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			for range 10 {
				p := startTap(t, ctx, shell("printf stdout; printf stderr >&2"))
				require.NoError(t, gives(t, ctx, p.lost))
				requireOrder(t, p)
				require.Equal(t, [3]string{"", "stdout", "stderr"}, p.received)
				code, exited := p.transport.ReturnCode()
				require.True(t, exited)
				require.Zero(t, code)
			}
		})
	})
	t.Run("SUB-11", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			p := start(t, ctx, asyncio.ProcessOptions{Shell: "exit 2"})
			awaitEnd(t, p.PID())
			require.NoError(t, p.SendSignal(syscall.SIGTERM), "the loop has not heard of the end")
			require.NoError(t, p.Terminate())
			ends(t, ctx, p, 2)
			for _, send := range []func() error{p.Kill, p.Terminate, func() error { return p.SendSignal(syscall.SIGUSR1) }} {
				require.ErrorIs(t, send(), os.ErrProcessDone)
			}
		})
	})
	t.Run("interactive", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			p := startTap(t, ctx, piped("cat"))
			in := p.transport.PipeTransport(0)
			require.NotNil(t, in)
			require.Nil(t, p.transport.PipeTransport(-1))
			require.Nil(t, p.transport.PipeTransport(3))
			for _, word := range []string{"Go ", "the winner"} {
				_, err := in.Write([]byte(word))
				require.NoError(t, err)
				require.NoError(t, asynciotest.Until(ctx, func() bool { return strings.HasSuffix(p.received[1], word) }))
			}
			require.Equal(t, "Go the winner", p.received[1])
			require.NoError(t, in.WriteEOF())
			require.NoError(t, gives(t, ctx, p.lost))
			requireOrder(t, p)
			code, _ := p.transport.ReturnCode()
			require.Zero(t, code)
		})
	})
	t.Run("no pipes", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			p := startTap(t, ctx, asyncio.ProcessOptions{Shell: "exit 7"})
			for fd := range 3 {
				require.Nil(t, p.transport.PipeTransport(fd))
			}
			require.NoError(t, gives(t, ctx, p.lost))
			p.Equal(t, "made", "exited", "lost")
			code, _ := p.transport.ReturnCode()
			require.Equal(t, 7, code)
			p.transport.Close()
			require.True(t, p.transport.IsClosing())
		})
	})
	t.Run("Stderr to Stdout", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			opts := shell("printf OUT; printf ERR >&2")
			opts.Stderr = asyncio.Stdio{Kind: asyncio.ToStdout}
			p := startTap(t, ctx, opts)
			require.Nil(t, p.transport.PipeTransport(2))
			gives(t, ctx, p.lost)
			require.Equal(t, [3]string{"", "OUTERR", ""}, p.received)
		})
	})
	t.Run("a pipe that is closed here", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			p := startTap(t, ctx, shell("trap '' PIPE; read x; echo first; read x; echo second || printf broken >&2; read x"))
			_, err := p.transport.PipeTransport(0).Write([]byte("\n"))
			require.NoError(t, err)
			require.NoError(t, asynciotest.Until(ctx, func() bool { return p.received[1] == "first\n" }))
			p.transport.PipeTransport(1).Close()
			require.NoError(t, gives(t, ctx, p.pipesLost[1]))
			_, err = p.transport.PipeTransport(0).Write([]byte("\n"))
			require.NoError(t, err)
			require.NoError(t, asynciotest.Until(ctx, func() bool { return strings.HasSuffix(p.received[2], "broken") }))
			p.transport.Close()
			gives(t, ctx, p.lost)
			requireOrder(t, p)
			code, _ := p.transport.ReturnCode()
			require.Equal(t, -int(syscall.SIGKILL), code)
		})
	})
	t.Run("a child that does not read", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			p := &pausingTap{tap: newTap(ctx)}
			tr, _, err := p.loop.SubprocessExec(ctx, func() asyncio.SubprocessProtocol { return p }, shell("read x; cat >/dev/null"))
			require.NoError(t, err)
			in := tr.PipeTransport(0)
			_, err = in.Write(make([]byte, 1<<20))
			require.NoError(t, err)
			require.Equal(t, 1, p.Count("pause"), "inside Write")
			_, err = in.Write([]byte("\n"))
			require.NoError(t, err)
			require.NoError(t, asynciotest.Until(ctx, func() bool { return p.Count("resume") == 1 }))
			in.Close()
			require.NoError(t, gives(t, ctx, p.lost))

			p2 := startTap(t, ctx, shell("exit 1"))
			_, err = p2.transport.PipeTransport(0).Write(make([]byte, 1<<20))
			require.NoError(t, err)
			require.ErrorIs(t, gives(t, ctx, p2.pipesLost[0]), syscall.EPIPE)
			require.NoError(t, gives(t, ctx, p2.lost))
		})
	})
	t.Run("a grandchild keeps a pipe", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			gate, release := osPipe(t)
			opts := shell("cat <&3 & exit 3")
			opts.ExtraFiles = []*os.File{gate}
			p := startTap(t, ctx, opts)
			require.NoError(t, gate.Close())
			gives(t, ctx, p.exited)
			code, exited := p.transport.ReturnCode()
			require.True(t, exited)
			require.Equal(t, 3, code)
			asynciotest.Yield(t, ctx, 10)
			require.Zero(t, p.Count("lost"))
			_, err := release.WriteString("late")
			require.NoError(t, err)
			require.NoError(t, release.Close())
			require.NoError(t, gives(t, ctx, p.lost))
			requireOrder(t, p)
			require.Equal(t, "late", p.received[1])
		})
	})
	t.Run("Close does not wait for a grandchild", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			gate, release := osPipe(t)
			opts := shell("cat <&3 & read x <&3")
			opts.ExtraFiles = []*os.File{gate}
			p := startTap(t, ctx, opts)
			_, err := p.transport.PipeTransport(0).Write(make([]byte, 1<<20))
			require.NoError(t, err)
			p.transport.Close()
			require.NoError(t, gives(t, ctx, p.lost))
			requireOrder(t, p)
			require.NoError(t, release.Close())
		})
	})
	t.Run("another protocol for a pipe", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			p := startTap(t, ctx, piped("cat"))
			other := testkit.NewTap(p.loop)
			out := p.transport.PipeTransport(1)
			out.SetProtocol(other)
			in := p.transport.PipeTransport(0)
			_, err := in.Write([]byte("abc"))
			require.NoError(t, err)
			in.Close()
			require.NoError(t, gives(t, ctx, p.lost), "the end is heard of whoever has the pipe")
			require.Equal(t, "abc", string(other.Received))
			other.Equal(t, "data", "eof", "lost")
		})
	})
}

// pausingTap hears of the flow too.
type pausingTap struct{ *tap }

func (p *pausingTap) PauseWriting()  { p.Add("pause") }
func (p *pausingTap) ResumeWriting() { p.Add("resume") }

// awaitEnd blocks until the process has ended, be it a zombie still.
func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool {
		stat, err := os.ReadFile("/proc/" + itoa(pid) + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ")
	}, asynciotest.HangLimit, time.Millisecond)
}

func TestSubprocessProtocolPanics(t *testing.T) {
	for _, event := range []string{"made", "out data", "out lost", "exited", "lost"} {
		t.Run(event, func(t *testing.T) {
			asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
				t.Cleanup(func() { requireNoChildren(t) })
				l := asynciotest.New(t, opts...)
				rec := asynciotest.RecordReports(l)
				asynciotest.InTask(t, l, func(ctx context.Context) {
					p := newTap(ctx)
					p.onEvent = func(heard string) {
						if heard == event {
							panic(testkit.ErrBoom)
						}
					}
					_, _, err := l.SubprocessExec(ctx, func() asyncio.SubprocessProtocol { return p }, shell("echo out; cat; exit 3"))
					require.NoError(t, err)
					if event != "made" {
						_ = p.transport.PipeTransport(0).WriteEOF()
					}
					err = gives(t, ctx, p.lost)
					asynciotest.Yield(t, ctx, 1)
					code, _ := p.transport.ReturnCode()
					if event == "made" {
						require.ErrorIs(t, err, testkit.ErrBoom)
						require.Equal(t, -int(syscall.SIGKILL), code)
					} else {
						require.NoError(t, err)
					}
					if event == "out data" {
						require.ErrorIs(t, gives(t, ctx, p.pipesLost[1]), testkit.ErrBoom)
					}
				})
				report := rec.One(t)
				require.ErrorIs(t, report.Exception, testkit.ErrBoom)
			})
		})
	}
}

func TestSubprocessExecMisuse(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context) {
		l := testkit.LoopOf(ctx)
		testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { _, _, _ = l.SubprocessExec(ctx, nil, forever) })
		testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() {
			_, _, _ = l.SubprocessExec(ctx, func() asyncio.SubprocessProtocol { return nil }, forever)
		})
		_, err := asyncio.CreateSubprocess(context.Background(), forever)
		require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
		p := start(t, ctx, piped("cat"))
		require.ErrorIs(t, p.SendSignal(nil), asyncio.ErrInvalidArgument)
		require.ErrorIs(t, p.SendSignal(noSignal{}), asyncio.ErrInvalidArgument)
		require.ErrorIs(t, p.SendSignal(syscall.Signal(-1)), syscall.EINVAL)
		require.ErrorIs(t, p.SendSignal(syscall.Signal(1000)), syscall.EINVAL)
		_, err = p.Wait(context.Background())
		require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
		_, _, err = p.Communicate(context.Background(), nil)
		require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
		require.Contains(t, p.String(), itoa(p.PID()))
		_, _, err = p.Communicate(ctx, nil)
		require.NoError(t, err)
	})
}

type noSignal struct{}

func (noSignal) Signal()        {}
func (noSignal) String() string { return "no signal" }
