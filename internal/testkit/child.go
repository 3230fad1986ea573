package testkit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
)

// The environment of a child process: the program, and the driver as a number.
const (
	childProgram = "ASYNCIO_TEST_PROGRAM"
	childDriver  = "ASYNCIO_TEST_DRIVER"
)

// RunChild ends the process with one of the programs, if it was started for that with
// ChildEnv. It is for the init function of a test binary that starts itself again: the
// program runs before the tests do, in the goroutine in which main.main would run.
func RunChild(programs map[string]func(opts ...asyncio.Option)) {
	program := programs[os.Getenv(childProgram)]
	if program == nil {
		return
	}
	driver, err := strconv.Atoi(os.Getenv(childDriver))
	if err != nil {
		panic(err)
	}
	program(asyncio.WithDriver(asyncio.Driver(driver)))
	os.Exit(0)
}

// ChildEnv is the environment of a process that is to run one of the programs.
func ChildEnv(program string, driver asyncio.Driver) []string {
	return append(os.Environ(), childProgram+"="+program, childDriver+"="+strconv.Itoa(int(driver)))
}

// Say writes a line that the parent waits for.
func Say(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// SayEnd tells how a run has ended.
func SayEnd[T any](v T, err error) {
	Say("end %v interrupted=%v cancelled=%v", v, errors.Is(err, asyncio.ErrInterrupted), errors.Is(err, asyncio.ErrCancelled))
}

// Child is a process that runs one of the programs.
type Child struct {
	t     *testing.T
	cmd   *exec.Cmd
	input io.WriteCloser
	Lines chan string // what the program says
}

// EachDriverOfChildren runs a test on each driver. start runs one of the programs in this
// test binary again, where it may be interrupted.
func EachDriverOfChildren(t *testing.T, programs map[string]func(opts ...asyncio.Option), test func(t *testing.T, start func(t *testing.T, program string) *Child)) {
	t.Helper()
	if signal.Ignored(os.Interrupt) {
		t.Skip("SIGINT is ignored by who has started the tests, and so by their children, who cannot change that")
	}
	for _, d := range asynciotest.Drivers() {
		t.Run(d.String(), func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			test(t, func(t *testing.T, program string) *Child {
				t.Helper()
				require.Contains(t, programs, program)
				return startChild(t, d, program)
			})
		})
	}
}

func startChild(t *testing.T, driver asyncio.Driver, program string) *Child {
	t.Helper()
	c := &Child{t: t, cmd: exec.Command(os.Args[0]), Lines: make(chan string, 100)}
	c.cmd.Env = append(ChildEnv(program, driver), "GORACE=atexit_sleep_ms=0")
	c.cmd.Stderr = t.Output()
	output, err := c.cmd.StdoutPipe()
	require.NoError(t, err)
	c.input, err = c.cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, c.cmd.Start())
	watchdog := time.AfterFunc(asynciotest.HangLimit, func() { _ = c.cmd.Process.Kill() })
	t.Cleanup(func() { watchdog.Stop() })
	go func() {
		defer close(c.Lines)
		for s := bufio.NewScanner(output); s.Scan(); {
			c.Lines <- s.Text()
		}
	}()
	return c
}

// Says waits for lines, in this order.
func (c *Child) Says(want ...string) *Child {
	c.t.Helper()
	for _, w := range want {
		require.Equal(c.t, w, <-c.Lines)
	}
	return c
}

// Signal sends the program a signal.
func (c *Child) Signal(sig os.Signal) *Child {
	c.t.Helper()
	require.NoError(c.t, c.cmd.Process.Signal(sig))
	return c
}

// GoOn sends the line that the program waits for.
func (c *Child) GoOn() *Child {
	c.t.Helper()
	_, err := io.WriteString(c.input, "\n")
	require.NoError(c.t, err)
	return c
}

// Exits waits for the normal end of the program.
func (c *Child) Exits() {
	c.t.Helper()
	c.Says("")
	require.NoError(c.t, c.cmd.Wait())
}

// Dies waits until a signal ends the program.
func (c *Child) Dies(of syscall.Signal) {
	c.t.Helper()
	c.Says("")
	var exit *exec.ExitError
	require.ErrorAs(c.t, c.cmd.Wait(), &exit)
	status := exit.Sys().(syscall.WaitStatus)
	require.True(c.t, status.Signaled() && status.Signal() == of, "it ended with %v", exit)
}
