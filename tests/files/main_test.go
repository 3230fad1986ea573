// Package files_test has the tests of files in tasks, of walks, and of WatchFiles.
package files_test

import (
	"context"
	"testing"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// inTask runs a test as a task, on each driver.
func inTask(t *testing.T, test func(t *testing.T, ctx context.Context, l *asyncio.Loop), opts ...asyncio.Option) {
	asynciotest.EachDriver(t, func(t *testing.T, driver ...asyncio.Option) {
		l := asynciotest.New(t, append(driver, opts...)...)
		asynciotest.InTask(t, l, func(ctx context.Context) { test(t, ctx, l) })
	})
}
