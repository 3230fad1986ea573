package asyncio

// Profiles that tell tasks apart. The runtime keeps labels for each goroutine and gives
// them to those that it starts. A task has a goroutine of its own as long as it runs, so
// its name is put there once, and CPU and goroutine profiles show it; so do functions in
// executors, which get the labels of who sent them. It is off by default, as it makes a
// task dearer.

import (
	"context"
	"runtime/pprof"
)

// taskLabel is the key of the label that holds a task's name.
const taskLabel = "asyncio.task"

// WithProfileLabels labels what tasks do in profiles of runtime/pprof: "asyncio.task" is
// the name of the task, and labels that pprof.WithLabels has put into the context that a
// task was made with are there too. Functions of RunInExecutor and ToThread, and
// goroutines that a task starts, have the labels of the task. To spawn and await a task
// that does nothing takes a quarter more time with it, and 128 bytes.
func WithProfileLabels() Option { return func(c *config) { c.labels = true } }

// label names the calling goroutine after the task, whose body it runs.
func (t *task) label() {
	pprof.SetGoroutineLabels(pprof.WithLabels(t.parent, pprof.Labels(taskLabel, t.Name())))
}

// unlabel makes the calling goroutine nobody's.
func unlabel() { pprof.SetGoroutineLabels(context.Background()) }

// labelled is fn with the labels of ctx and of its task.
func labelled[T any](ctx context.Context, fn func() (T, error)) func() (T, error) {
	if own, _ := ctx.Value(ownKey{}).(ownContext); own != nil {
		ctx = pprof.WithLabels(ctx, pprof.Labels(taskLabel, own.ownTask().Name()))
	}
	return func() (T, error) {
		pprof.SetGoroutineLabels(ctx)
		defer unlabel()
		return fn()
	}
}
