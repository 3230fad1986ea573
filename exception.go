package asyncio

// Nothing fails silently. What no caller can be told goes to the loop's exception
// handler: panics of callbacks, failures of futures that nobody looked at, tasks that
// were dropped. The default handler logs it.

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
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
