package misuse_test

// A process that has nearly used up its descriptors gets an error, or is served; it never
// ends because of it.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// freeVariable tells the child how many descriptors it leaves.
const freeVariable = "ASYNCIO_TEST_FREE_DESCRIPTORS"

// descriptorLimit is RLIMIT_NOFILE of the child.
const descriptorLimit = 64

func init() {
	testkit.RunChild(map[string]func(opts ...asyncio.Option){
		"few descriptors": fewDescriptors,
		"many loops":      manyLoops,
	})
}

// fewDescriptors makes a loop, a server and a connection when few descriptors are left,
// and says what came of it.
func fewDescriptors(opts ...asyncio.Option) {
	free, err := strconv.Atoi(os.Getenv(freeVariable))
	restore := func() {}
	if err == nil {
		restore, err = leaveFree(free)
	}
	if err != nil {
		testkit.Say("not begun: %v", err)
		return
	}
	defer restore() // a sanitizer needs some at the end
	switch err := serveAClient(opts); {
	case err == nil:
		testkit.Say("served")
	case errors.Is(err, syscall.EMFILE):
		testkit.Say("refused")
	default:
		testkit.Say("failed: %v", err)
	}
}

// leaveFree takes all descriptors but a number of them, until restore.
func leaveFree(free int) (restore func(), err error) {
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		return nil, err
	}
	limit := syscall.Rlimit{Cur: descriptorLimit, Max: was.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return nil, err
	}
	var taken []int
	for {
		fd, err := syscall.Dup(1)
		if err == syscall.EMFILE {
			break
		}
		if err != nil {
			return nil, err
		}
		taken = append(taken, fd)
	}
	for _, fd := range taken[:min(free, len(taken))] {
		if err := syscall.Close(fd); err != nil {
			return nil, err
		}
	}
	return func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was) }, nil
}

func serveAClient(opts []asyncio.Option) error {
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		s, err := asyncio.StartServer(ctx, testkit.Shout, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer s.Close()
		s.Loop().SetExceptionHandler(func(*asyncio.Loop, asyncio.ErrorContext) {}) // accepting may fail
		addr := s.Addrs()[0].(*net.TCPAddr)
		_, w, err := asyncio.OpenConnection(ctx, addr.Network(), addr.String())
		if err != nil {
			return err
		}
		return w.Close()
	}), opts...)
	return err
}

func TestDescriptorsNearlyUsedUp(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		driver := asynciotest.New(t, opts...).Driver()
		for free := range 25 {
			cmd := exec.Command(os.Args[0], "-test.run=^$")
			cmd.Env = append(testkit.ChildEnv("few descriptors", driver), fmt.Sprintf("%s=%d", freeVariable, free))
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "with %d descriptors free: %s", free, out)
			require.Contains(t, []string{"served", "refused"}, strings.TrimSpace(string(out)), "with %d descriptors free", free)
			if free == 24 {
				require.Equal(t, "served", strings.TrimSpace(string(out)))
			}
		}
	})
}

// manyLoops asks for more loops than there are descriptors for, and says what came of it.
func manyLoops(opts ...asyncio.Option) {
	restore, err := leaveFree(30)
	if err != nil {
		testkit.Say("not begun: %v", err)
		return
	}
	defer restore()
	nothing := func(context.Context, int) error { return nil }
	if err := asyncio.RunLoops(1, nothing, opts...); err != nil { // what a process opens once
		testkit.Say("not begun: %v", err)
		return
	}
	before := openDescriptors()
	err = asyncio.RunLoops(descriptorLimit, func(ctx context.Context, _ int) error {
		return testkit.SleepsLong(ctx)
	}, opts...)
	testkit.Say("refused=%v left=%d", errors.Is(err, syscall.EMFILE), openDescriptors()-before)
}

// openDescriptors counts the descriptors of this process below the limit.
func openDescriptors() (n int) {
	for fd := range descriptorLimit {
		var stat syscall.Stat_t
		if syscall.Fstat(fd, &stat) == nil {
			n++
		}
	}
	return n
}

// A loop that cannot be made ends the others. The loop in Go needs no descriptors.
func TestLoopsBeyondTheDescriptors(t *testing.T) {
	if asyncio.LibuvVersion() == "" {
		t.Skip("libuv is not linked in")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = testkit.ChildEnv("many loops", asyncio.Libuv)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, "refused=true left=0", strings.TrimSpace(string(out)))
}
