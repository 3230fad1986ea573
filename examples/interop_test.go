//go:build unix

package examples_test

// The servers of the examples with clients that know nothing of this library, in numbers.

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/examples/internal/clients"
)

const (
	// interopTimeMax bounds one exchange. On two cores it takes about five seconds.
	interopTimeMax = 120 * time.Second
	// stopTimeMax bounds the end of a server after it was asked to end.
	stopTimeMax = time.Minute

	connections   = 1000
	exchangeBytes = 1 << 20
	// descriptors is what a process needs for that many connections, and then some.
	descriptors = connections + 200
)

// server is one of the programs, serving.
type server struct {
	cmd     *exec.Cmd
	address string
	stderr  bytes.Buffer
	stdout  *bufio.Reader
}

// serve starts a program as a server on a free port, and stops it when the test ends if
// the test has not done so.
func serve(t *testing.T, d driver, name string, flags ...string) *server {
	t.Helper()
	s := &server{cmd: d.command(context.Background(), name, append([]string{"-listen", "127.0.0.1:0"}, flags...)...)}
	s.cmd.Stderr = &s.stderr
	stdout, err := s.cmd.StdoutPipe()
	require.NoError(t, err)
	s.stdout = bufio.NewReader(stdout)
	require.NoError(t, s.cmd.Start())
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			assert.NoError(t, s.cmd.Process.Kill())
			_ = s.cmd.Wait() // that it was killed is known
		}
	})
	line, err := s.stdout.ReadString('\n')
	require.NoError(t, err, "the server said: %s", &s.stderr)
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	require.True(t, ok, "the server said %q", line)
	s.address = address
	return s
}

// stop asks the server to end, as Ctrl-C does, and expects it to do so without complaint.
func (s *server) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, s.cmd.Process.Signal(os.Interrupt))
	killer := time.AfterFunc(stopTimeMax, func() { _ = s.cmd.Process.Kill() }) // Wait reports it, if it was too late
	rest, err := io.ReadAll(s.stdout)
	require.NoError(t, err)
	err = s.cmd.Wait()
	killer.Stop()
	assert.NoError(t, err, "the server did not end well: %s", &s.stderr)
	assert.Empty(t, string(rest))
	assert.Empty(t, s.stderr.String())
}

// allowDescriptors makes room for the connections here and in the processes that are
// started from now on.
func allowDescriptors(t *testing.T) {
	t.Helper()
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if limit.Max < descriptors {
		t.Skipf("this machine allows a process %d descriptors, and %d are needed: ulimit -Hn", limit.Max, descriptors)
	}
	limit.Cur = max(limit.Cur, descriptors)
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
}

// spread gives each kind of client its share. The share of a kind that this machine does
// not have goes to Go's net.
func spread(t *testing.T, total, python, netcat int) []clients.Group {
	t.Helper()
	groups := []clients.Group{{Kind: clients.Net, Count: total}}
	for _, g := range []clients.Group{{Kind: clients.Python, Count: python}, {Kind: clients.Netcat, Count: netcat}} {
		if err := g.Kind.Missing(); err != nil {
			t.Logf("%s takes no part: %v", g.Kind.Name, err)
			continue
		}
		groups[0].Count -= g.Count
		groups = append(groups, g)
	}
	return groups
}

// All clients are connected before the first one sends its main part.
func TestEchoServesAThousandConnectionsOfThreeKindsAtOnce(t *testing.T) {
	allowDescriptors(t)
	payload := clients.NewPayload(exchangeBytes)
	for _, d := range drivers {
		for _, kind := range []string{"protocol", "streams"} {
			t.Run(string(d)+"/"+kind, func(t *testing.T) {
				s := serve(t, d, "echo_"+kind)
				ctx, cancel := context.WithTimeout(t.Context(), interopTimeMax)
				defer cancel()
				begin := time.Now()
				groups := spread(t, connections, 400, 10)
				require.NoError(t, clients.Together(ctx, s.address, payload, groups...), "server: %s", &s.stderr)
				t.Logf("%d connections, %d MiB each way: %.1f s", connections, connections*exchangeBytes>>20, time.Since(begin).Seconds())
				s.stop(t)
			})
		}
	}
}

// A server that is asked to end while clients are idle does not wait for them.
func TestEchoStopsWhileClientsAreConnected(t *testing.T) {
	for _, d := range drivers {
		for _, kind := range []string{"protocol", "streams"} {
			t.Run(string(d)+"/"+kind, func(t *testing.T) {
				s := serve(t, d, "echo_"+kind)
				conn := dial(t, s.address)
				_, err := io.WriteString(conn, "hello\n")
				require.NoError(t, err)
				r := bufio.NewReader(conn)
				line, err := r.ReadString('\n')
				require.NoError(t, err)
				require.Equal(t, "hello\n", line)
				s.stop(t)
				_, err = r.ReadByte()
				assert.True(t, errors.Is(err, io.EOF), err)
			})
		}
	}
}
