package asyncio

// Options of loops, callbacks and tasks. Each is a function on a private struct, so that
// new ones never break a caller.

import (
	"context"
	"log/slog"
	"os"
)

// Option configures a loop; NewEventLoop, NewRunner and Run take them.
type Option func(*config)

type config struct {
	debug        bool
	driver       Driver
	logger       *slog.Logger
	base         context.Context
	lockedThread bool
	eager        bool
	interrupt    interruptRule
	inboxLimit   int
	labels       bool
	setup        []func(*Loop) // what options of other files do to a new loop
}

func newConfig(opts []Option) config {
	c := config{debug: os.Getenv("ASYNCIO_DEBUG") == "1", driver: defaultDriver(), base: context.Background()}
	for _, opt := range opts {
		opt(&c)
	}
	return c
}

// WithDebug turns debug mode on or off. The default is on if the environment has
// ASYNCIO_DEBUG=1.
func WithDebug(on bool) Option { return func(c *config) { c.debug = on } }

// WithDriver chooses what the loop runs on: uvloop or asyncio's own loop, in Python's
// terms.
func WithDriver(d Driver) Option { return func(c *config) { c.driver = d } }

// WithLogger sets where the default exception handler and debug mode write. The default
// is slog.Default().
func WithLogger(l *slog.Logger) Option { return func(c *config) { c.logger = l } }

// WithContext sets the base of every task's context: its values are seen by all tasks,
// and its end cancels the main task of Run and RunIn.
func WithContext(ctx context.Context) Option {
	if ctx == nil {
		panic(misuse(ErrInvalidArgument, "WithContext was given nil"))
	}
	return func(c *config) { c.base = ctx }
}

// WithLockedThread locks the calling goroutine to its thread until the loop is closed,
// for callbacks that need a fixed thread. The loop must then be made, run and closed by
// one goroutine, and not in a callback or task of another loop, where NewEventLoop
// returns ErrLoopRunning. A switch between tasks costs more.
func WithLockedThread() Option { return func(c *config) { c.lockedThread = true } }

// CallOption is an option of CallSoon and its kin and of AddDoneCallback.
type CallOption func(*callConfig)

type callConfig struct{ ctx context.Context }

// InContext names the context that ErrorContext.Context and debug reports show for a
// callback: call_soon(context=).
func InContext(ctx context.Context) CallOption { return func(c *callConfig) { c.ctx = ctx } }

// TaskOption is an option of CreateTask.
type TaskOption func(*taskConfig)

type taskConfig struct {
	name  string
	eager bool
}

// WithName names a task. The default is Task-1, Task-2 and so on.
func WithName(name string) TaskOption { return func(c *taskConfig) { c.name = name } }

// interruptRule says which runs SIGINT interrupts.
type interruptRule uint8

const (
	interruptDefault interruptRule = iota // those in the program's main goroutine that have no other end
	interruptAlways
	interruptNever
)
