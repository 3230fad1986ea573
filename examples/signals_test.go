//go:build unix

package examples_test

// Programs that are told to end by a real signal.

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shutdown is a run of graceful_shutdown that waits for a signal.
type shutdown struct {
	cmd    *exec.Cmd
	stdout *bufio.Reader
	stderr bytes.Buffer
}

func startShutdown(t *testing.T, d driver, grace string) *shutdown {
	t.Helper()
	s := &shutdown{cmd: d.command(context.Background(), "graceful_shutdown", "-wait", "-grace", grace)}
	s.cmd.Stderr = &s.stderr
	stdout, err := s.cmd.StdoutPipe()
	require.NoError(t, err)
	s.stdout = bufio.NewReader(stdout)
	require.NoError(t, s.cmd.Start())
	killer := time.AfterFunc(programTimeMax, func() { _ = s.cmd.Process.Kill() }) // Wait reports it
	t.Cleanup(func() { killer.Stop() })
	s.expect(t, fmt.Sprintf("waiting for a signal to process %d\n", s.cmd.Process.Pid))
	return s
}

func (s *shutdown) expect(t *testing.T, want string) {
	t.Helper()
	line, err := s.stdout.ReadString('\n')
	require.NoError(t, err, &s.stderr)
	require.Equal(t, want, line)
}

func TestGracefulShutdownReportsAfterARealSignal(t *testing.T) {
	expected, err := os.ReadFile("graceful_shutdown/expected.txt")
	require.NoError(t, err)
	_, report, _ := strings.Cut(string(expected), "\n") // the first line names the signal
	for _, d := range drivers {
		for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
			t.Run(string(d)+"/"+signal.String(), func(t *testing.T) {
				s := startShutdown(t, d, "300ms")
				require.NoError(t, s.cmd.Process.Signal(signal))
				s.expect(t, fmt.Sprintf("told to end: %v signal received\n", signal))
				rest, err := io.ReadAll(s.stdout)
				require.NoError(t, err)
				require.NoError(t, s.cmd.Wait(), &s.stderr)
				assert.Equal(t, report, string(rest))
				assert.Empty(t, s.stderr.String())
			})
		}
	}
}

// The second signal does not wait for work that would take an hour.
func TestGracefulShutdownEndsAtTheSecondSignal(t *testing.T) {
	for _, d := range drivers {
		t.Run(string(d), func(t *testing.T) {
			s := startShutdown(t, d, "1h")
			require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
			s.expect(t, "told to end: terminated signal received\n")

			// The program gives the signal its old effect back at about this time: one of
			// the next is the second.
			ended := make(chan error, 1)
			go func() { ended <- s.cmd.Wait() }()
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
				case err := <-ended:
					var exit *exec.ExitError
					require.ErrorAs(t, err, &exit)
					assert.Equal(t, syscall.SIGTERM, exit.Sys().(syscall.WaitStatus).Signal())
					return
				}
			}
		})
	}
}
