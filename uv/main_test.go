//go:build cgo

package uv_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-a026a017/asyncio/cbridge"
	"github.com/seed-a026a017/asyncio/uv"
)

// waits are the ways to wait; what a loop does must not depend on which it has.
var waits = map[string]uv.Wait{"block": uv.WaitBlock, "netpoll": uv.WaitNetpoll, "adaptive": uv.WaitAdaptive}

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

// testMain fails when a goroutine, a descriptor or an allocation of libuv or the bridge
// is left.
func testMain(m *testing.M) int {
	if len(os.Args) > 1 && os.Args[1] == childArg {
		return child(os.Args[2:])
	}
	counted := cbridge.CountAllocations()
	l, err := uv.NewLoop(uv.WithWait(uv.WaitNetpoll)) // opens what the runtime's poller keeps for good
	if err != nil || !counted || l.Close() != nil {
		fmt.Fprintln(os.Stderr, "cannot begin:", err)
		return 1
	}
	before := descriptors()
	code := m.Run()
	if code != 0 {
		return code
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if after := descriptors(); len(after) > len(before) {
		fmt.Fprintf(os.Stderr, "descriptors before the tests: %v\nafter: %v\n", before, after)
		return 1
	}
	if n := cbridge.LiveAllocations(); n != 0 {
		fmt.Fprintln(os.Stderr, n, "allocations of libuv and the bridge are left")
		return 1
	}
	return 0
}

// descriptors are this process's, by number, with what they are.
func descriptors() map[string]string {
	all := make(map[string]string)
	dir, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil // not Linux
	}
	for _, e := range dir {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			all[e.Name()] = to
		}
	}
	return all
}

// newLoop makes a loop that the end of the test shuts down.
func newLoop(t testing.TB, opts ...uv.Option) *uv.Loop {
	t.Helper()
	l, err := uv.NewLoop(opts...)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := l.Shutdown(ctx); err != nil && err != uv.ErrClosed {
			t.Errorf("shutdown: %v", err)
		}
	})
	return l
}

// patience is how long a test waits for what must happen.
const patience = time.Minute

// until runs the loop until cond holds.
func until(t testing.TB, l *uv.Loop, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); {
		if time.Now().After(end) {
			require.Fail(t, "waited in vain: "+what)
		}
		require.NoError(t, l.Poll(10*time.Millisecond))
	}
}

// connectedPair makes a connection of the loop to itself.
func connectedPair(t testing.TB, l *uv.Loop) (client, server *uv.TCP) {
	t.Helper()
	ln := listen(t, l, func(c *uv.TCP, err error) {
		require.NoError(t, err)
		server = c
	})
	client = newTCP(t, l)
	connected := false
	require.NoError(t, client.Connect(addrOf(t, ln), func(err error) {
		require.NoError(t, err)
		connected = true
	}))
	until(t, l, "a connection", func() bool { return connected && server != nil })
	ln.Close()
	require.NoError(t, client.SetNoDelay(true))
	require.NoError(t, server.SetNoDelay(true))
	return client, server
}
