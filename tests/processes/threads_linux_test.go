package processes_test

import (
	"context"
	"runtime/pprof"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
)

// A child that runs holds no thread: the runtime ends a program that has 10,000.
func TestChildrenHoldNoThreads(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context) {
		const children = 60
		threads := pprof.Lookup("threadcreate")
		before := threads.Count()
		var all []*asyncio.Process
		for range children {
			all = append(all, start(t, ctx, asyncio.ProcessOptions{Args: []string{"sleep", "3600"}}))
		}
		require.Less(t, threads.Count(), before+children/2)
		for _, p := range all {
			require.NoError(t, p.Kill())
			ends(t, ctx, p, -int(syscall.SIGKILL))
		}
	})
}
