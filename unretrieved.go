package asyncio

// Failures that nobody has looked at. A future or task that fails is watched until
// somebody asks for its error; if its memory goes first, or the loop closes, the
// exception handler hears of it.

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
)

// unretrieved is a failure that nobody has looked at. It does not refer to the future,
// whose memory it waits for.
type unretrieved struct {
	loop    *Loop
	report  ErrorContext
	cleanup runtime.Cleanup
}

// failureList is the failures that nobody has looked at yet. They are reported when their
// future can no longer be reached, and at the latest when the loop closes.
type failureList struct {
	mu   sync.Mutex
	open map[*unretrieved]struct{}
}

// watchFailure begins to wait for somebody to look at err, with which f is about to be
// completed. owner is the memory that f is part of. What ends because its loop was closed
// is not watched: the closing has reported it.
func watchFailure[O any](owner *O, f *future, self AnyFuture, err error, message string) {
	if f.ignored || f.loop.IsClosed() {
		return
	}
	u := &unretrieved{loop: f.loop, report: ErrorContext{Message: message, Exception: err, SourceTraceback: f.source().String()}}
	if t, ok := self.(AnyTask); ok {
		u.report.Message = fmt.Sprintf("%s: %s", message, t.Name())
		u.report.Context = valuesOf(t.Context())
	}
	f.rarely().lost = u
	watch(owner, u)
}

// watch begins to wait for the end of owner's memory.
func watch[O any](owner *O, u *unretrieved) {
	u.loop.failures.add(u)
	u.cleanup = runtime.AddCleanup(owner, func(u *unretrieved) { u.loop.post(u) }, u)
}

// run reports the failure: its future is gone.
func (u *unretrieved) run(l *Loop) {
	if l.failures.remove(u) {
		l.CallExceptionHandler(u.report)
	}
}

// settle ends the watch: somebody has looked.
func (u *unretrieved) settle() {
	if u.loop.failures.remove(u) {
		u.cleanup.Stop()
	}
}

func (f *failureList) add(u *unretrieved) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open == nil {
		f.open = make(map[*unretrieved]struct{})
	}
	f.open[u] = struct{}{}
}

func (f *failureList) remove(u *unretrieved) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, open := f.open[u]
	delete(f.open, u)
	return open
}

func (f *failureList) reportAll(l *Loop) {
	f.mu.Lock()
	open := f.open
	f.open = nil
	f.mu.Unlock()
	forEach(slices.Collect(maps.Keys(open)), func(u *unretrieved) {
		u.cleanup.Stop()
		l.CallExceptionHandler(u.report)
	})
}
