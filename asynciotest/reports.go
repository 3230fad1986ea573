package asynciotest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-a026a017/asyncio"
)

// Reports is what a loop has told its exception handler: failures that no caller can be
// told. Its methods are for any goroutine.
type Reports struct {
	mu  sync.Mutex
	all []asyncio.ErrorContext
}

// RecordReports replaces the exception handler of l with one that keeps what it is told.
func RecordReports(l *asyncio.Loop) *Reports {
	r := &Reports{}
	l.SetExceptionHandler(func(_ *asyncio.Loop, c asyncio.ErrorContext) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.all = append(r.all, c)
	})
	return r
}

// All is the reports so far, oldest first.
func (r *Reports) All() []asyncio.ErrorContext {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// None fails the test if there are reports.
func (r *Reports) None(t testing.TB) {
	t.Helper()
	if all := r.All(); len(all) > 0 {
		t.Fatalf("asynciotest: the exception handler was called%s", describeReports(all))
	}
}

// One returns the only report, and fails the test unless there is exactly one.
func (r *Reports) One(t testing.TB) asyncio.ErrorContext {
	t.Helper()
	all := r.All()
	if len(all) != 1 {
		t.Fatalf("asynciotest: the exception handler was called %d times, not once%s", len(all), describeReports(all))
	}
	return all[0]
}

func describeReports(all []asyncio.ErrorContext) string {
	var b strings.Builder
	for _, c := range all {
		fmt.Fprintf(&b, "\n%s: %v", c.Message, c.Exception)
	}
	return b.String()
}
