package testkit

// How traces spell errors, results and futures. The programs in Python that they are
// compared with spell them so too.

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/seed-a026a017/asyncio"
)

// ErrName is how a trace spells an error.
func ErrName(err error) string {
	var cancelled *asyncio.CancelledError
	var group *asyncio.ExceptionGroup
	var incomplete *asyncio.IncompleteReadError
	var overrun *asyncio.LimitOverrunError
	switch {
	case err == nil:
		return "nil"
	case errors.As(err, &group):
		var names []string
		for _, e := range group.Errs {
			names = append(names, ErrName(e))
		}
		sort.Strings(names)
		return "group[" + strings.Join(names, " ") + "]"
	case errors.As(err, &incomplete):
		return "IncompleteReadError(" + string(incomplete.Partial) + ")"
	case errors.As(err, &overrun):
		return fmt.Sprintf("LimitOverrunError(%d)", overrun.Consumed)
	case errors.As(err, &cancelled) && cancelled.Msg != nil:
		return fmt.Sprintf("CancelledError(%v)", cancelled.Msg)
	case errors.As(err, &cancelled):
		return "CancelledError"
	}
	for _, known := range namedErrors {
		if errors.Is(err, known.err) {
			return known.name
		}
	}
	var panicked *asyncio.PanicError
	if errors.As(err, &panicked) {
		return fmt.Sprint(panicked.Value)
	}
	return err.Error()
}

var namedErrors = []struct {
	err  error
	name string
}{
	{asyncio.ErrTimeout, "TimeoutError"},
	{asyncio.ErrInvalidState, "InvalidStateError"},
	{asyncio.ErrQueueEmpty, "QueueEmpty"},
	{asyncio.ErrQueueFull, "QueueFull"},
	{asyncio.ErrQueueShutDown, "QueueShutDown"},
	{asyncio.ErrBrokenBarrier, "BrokenBarrierError"},
}

// TypedFuture is a *Future or *Task of T.
type TypedFuture[T any] interface {
	asyncio.AnyFuture
	Result() (T, error)
}

// StateOf is how a trace spells a future.
func StateOf[T any](f TypedFuture[T]) string {
	switch {
	case !f.Done():
		return "pending"
	case f.Cancelled():
		return "cancelled"
	}
	v, err := f.Result()
	if err != nil {
		return ErrName(err)
	}
	return ValueName(v)
}

// ValueName is how a trace spells a result.
func ValueName(v any) string {
	switch v := v.(type) {
	case asyncio.None:
		return "nil"
	case error:
		return ErrName(v)
	case []string:
		return "[" + strings.Join(v, " ") + "]"
	case []asyncio.Result[string]:
		var parts []string
		for _, r := range v {
			if r.Err != nil {
				r.Value = ErrName(r.Err)
			}
			parts = append(parts, r.Value)
		}
		return "[" + strings.Join(parts, " ") + "]"
	}
	return fmt.Sprint(v)
}

// Flag is how a trace spells a bool.
func Flag(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
