package asyncio

// Nothing fails silently. What no caller can be told goes to the loop's exception
// handler: panics of callbacks, failures of futures that nobody looked at, tasks that
// were dropped. The default handler logs it.

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
)

// ErrorContext is the map that asyncio hands to exception handlers. Fields that do not
// apply are zero.
type ErrorContext struct {
	Message         string
	Exception       error
	Future          AnyFuture
	Task            AnyTask
	Handle          *Handle
	Protocol        any
	Transport       any
	Server          *Server
	Context         context.Context
	SourceTraceback string // debug mode: where the failing thing was made
}

// SetExceptionHandler sets the handler of errors that nobody else can be told:
// loop.set_exception_handler. nil restores the default. The handler runs on the loop's
// goroutine.
func (l *Loop) SetExceptionHandler(h func(*Loop, ErrorContext)) { l.handler = h }

// CallExceptionHandler reports c to the loop's handler: loop.call_exception_handler. A
// panic of the handler is reported to the default one.
func (l *Loop) CallExceptionHandler(c ErrorContext) {
	if l.handler == nil {
		l.reportToDefault(c)
		return
	}
	l.safely(func() { l.handler(l, c) }, func(err error) {
		l.reportToDefault(ErrorContext{
			Message:   fmt.Sprintf("Unhandled error in exception handler while handling %q", c.Message),
			Exception: &ExceptionGroup{Message: "unhandled error in exception handler", Errs: appendError([]error{err}, c.Exception)},
			Future:    c.Future, Task: c.Task, Handle: c.Handle, Protocol: c.Protocol, Transport: c.Transport,
			Server: c.Server, Context: c.Context, SourceTraceback: c.SourceTraceback,
		})
	})
}

// reportToDefault survives a logger that panics, once by another attempt; one that does
// so again is left in peace.
func (l *Loop) reportToDefault(c ErrorContext) {
	l.safely(func() { l.DefaultExceptionHandler(c) }, func(err error) {
		l.safely(func() { l.log().Error("Exception in default exception handler", "exception", err) }, func(error) {})
	})
}

func appendError(errs []error, err error) []error {
	if err == nil {
		return errs
	}
	return append(errs, err)
}

// forEach calls fn for every item, also if one of the calls ends the goroutine with
// runtime.Goexit, or panics: that goes on after the last.
func forEach[T any](items []T, fn func(T)) {
	next := 0
	defer func() {
		if next < len(items) {
			forEach(items[next:], fn)
		}
	}()
	for next < len(items) {
		next++
		fn(items[next-1])
	}
}

// safely calls fn and hands its panic to failed.
func (l *Loop) safely(fn func(), failed func(error)) {
	defer func() {
		if v := recover(); v != nil {
			failed(&PanicError{Value: v, Stack: debug.Stack()})
		}
	}()
	fn()
}

// DefaultExceptionHandler logs c as an error: loop.default_exception_handler.
func (l *Loop) DefaultExceptionHandler(c ErrorContext) {
	var attrs []any
	add := func(key string, value any) { attrs = append(attrs, slog.Any(key, value)) }
	if c.Exception != nil {
		add("exception", c.Exception)
		if p, ok := c.Exception.(*PanicError); ok {
			add("stack", string(p.Stack))
		}
	}
	if c.Task != nil {
		add("task", c.Task.Name())
	}
	if c.Protocol != nil {
		add("protocol", fmt.Sprintf("%T", c.Protocol))
	}
	if c.Transport != nil {
		add("transport", fmt.Sprint(c.Transport))
	}
	if c.SourceTraceback != "" {
		add("source_traceback", c.SourceTraceback)
	}
	message := c.Message
	if message == "" {
		message = "Unhandled exception in event loop"
	}
	l.log().Error(message, attrs...)
}

func (l *Loop) log() *slog.Logger { return logOrDefault(l.logger) }

func logOrDefault(logger *slog.Logger) *slog.Logger {
	if logger == nil {
		return slog.Default()
	}
	return logger
}

// callbackPanicked reports the panic of a callback. Tasks recover their own.
func (l *Loop) callbackPanicked(r runnable, v any) {
	s := describe(r)
	if s.handle == nil {
		s.handle = &Handle{loop: l, seq: l.ready.head - 1}
	}
	l.CallExceptionHandler(ErrorContext{
		Message:         "Exception in " + s.name,
		Exception:       &PanicError{Value: v, Stack: debug.Stack()},
		Handle:          s.handle,
		Context:         s.ctx,
		SourceTraceback: s.source.String(),
	})
}

// subject is what reports say of an entry of the ready queue.
type subject struct {
	name   string
	fn     uintptr // the code of a callback; 0: not known, or none
	task   *task   // or nil
	ctx    context.Context
	source *traceback
	handle *Handle
}

func describe(r runnable) subject {
	switch c := r.(type) {
	case callback:
		return callbackSubject(funcCode(c))
	case *tracedCallback:
		s := callbackSubject(c.code)
		s.ctx, s.source = c.ctx, c.source
		return s
	case *timerCall:
		s := subject{name: "callback of a timer"}
		if c.traced != nil {
			s = describe(c.traced)
		}
		s.handle = &c.handle.Handle
		return s
	case *remoteCall:
		s := describe(c.call)
		s.handle = &c.handle
		return s
	case *task:
		return subject{name: "step of " + c.Name(), task: c, ctx: c.Context(), source: c.source}
	case *farewell:
		return subject{name: fmt.Sprintf("callback %T.ConnectionLost", c.protocol)}
	}
	return subject{name: fmt.Sprintf("callback %T", r)}
}

func callbackSubject(code uintptr) subject {
	name := "func()"
	if f := runtime.FuncForPC(code); f != nil {
		name = f.Name()
	}
	return subject{name: "callback " + name, fn: code}
}

// funcCode is the code of a function, of whatever type.
func funcCode(fn any) uintptr { return reflect.ValueOf(fn).Pointer() }

// place is the line to look at: of a callback its first, of a task where it is suspended,
// else where it was created.
func (s subject) place() string {
	if f := runtime.FuncForPC(s.fn); s.fn != 0 && f != nil {
		if file, line := f.FileLine(f.Entry()); file != "<autogenerated>" { // as of a method's value
			return fmt.Sprintf("%s:%d", file, line)
		}
	}
	if s.task != nil {
		if frames, err := s.task.frames(); err == nil && frames != nil {
			return frames.place()
		}
	}
	return s.source.place()
}

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
	if f.loop.IsClosed() {
		return
	}
	u := &unretrieved{loop: f.loop, report: ErrorContext{Message: message, Exception: err, SourceTraceback: f.source.String()}}
	if t, ok := self.(AnyTask); ok {
		u.report.Message = fmt.Sprintf("%s: %s", message, t.Name())
		u.report.Context = valuesOf(t.Context())
	}
	f.lost = u
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
