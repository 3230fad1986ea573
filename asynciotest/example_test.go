package asynciotest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
)

// t is what the test function around an example gets. TestExamples runs them.
var t *testing.T

func TestExamples(test *testing.T) {
	for name, example := range map[string]func(){
		"Run": ExampleRun, "EachDriver": ExampleEachDriver, "New": ExampleNew,
		"RecordReports": ExampleRecordReports, "Until": ExampleUntil,
	} {
		test.Run(name, func(test *testing.T) {
			t = test
			example()
		})
	}
}

// A test in a task: what fails, and what is left behind, fails the test.
func ExampleRun() {
	asynciotest.Run(t, func(ctx context.Context) error {
		jobs := asyncio.NewQueue[string](0)
		return asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
			tg.Go(func(ctx context.Context) error { return jobs.Put(ctx, "greet") })
			job, err := jobs.Get(ctx)
			if job != "greet" {
				t.Errorf("got %q", job)
			}
			return err
		})
	})
}

// The same test for libuv and for the loop in Go.
func ExampleEachDriver() {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asynciotest.Option) {
		asynciotest.Run(t, func(ctx context.Context) error {
			return asyncio.Sleep(ctx, time.Millisecond)
		}, opts...)
	})
}

// A loop that the test turns by hand, and a trace of what happens in which order.
func ExampleNew() {
	l := asynciotest.New(t)
	var trace asynciotest.Trace
	l.CallSoon(func() {
		trace.Add("first")
		l.CallSoon(trace.Mark("in the next turn"))
	})
	l.CallSoon(trace.Mark("second"))
	asynciotest.Turn(t, l)
	trace.Equal(t, "first", "second")
	asynciotest.Turn(t, l)
	trace.Equal(t, "first", "second", "in the next turn")
}

// Failures that no caller can be told go to the exception handler of the loop.
func ExampleRecordReports() {
	l := asynciotest.New(t)
	reports := asynciotest.RecordReports(l)
	l.CallSoon(func() { panic(errors.New("boom")) })
	asynciotest.Turn(t, l)
	if got := reports.One(t); got.Exception.Error() != "panic: boom" {
		t.Errorf("told of %v", got.Exception)
	}
}

// Waiting for what another goroutine makes true, without a pause that is too long or too
// short.
func ExampleUntil() {
	asynciotest.Run(t, func(ctx context.Context) error {
		l, err := asyncio.GetRunningLoop(ctx)
		if err != nil {
			return err
		}
		arrived := false
		go func() {
			_, _ = l.CallSoonThreadsafe(func() { arrived = true })
		}()
		return asynciotest.Until(ctx, func() bool { return arrived })
	})
}

// Every package of tests ends with a look for leaks.
func ExampleVerifyTestMain() {
	testMain := func(m *testing.M) { asynciotest.VerifyTestMain(m) } // named TestMain
	_ = testMain
}
