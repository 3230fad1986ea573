package asyncio_test

// Errors: what they match, and how a group is taken apart.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
)

func TestExceptionGroupSplit(t *testing.T) {
	other := errors.New("other")
	inner := &asyncio.ExceptionGroup{Message: "inner", Errs: []error{errBoom, other}}
	g := &asyncio.ExceptionGroup{Message: "outer", Errs: []error{fmt.Errorf("wrapped: %w", errBoom), inner, other}}
	isBoom := func(err error) bool { return errors.Is(err, errBoom) }

	matched, rest := g.Split(isBoom)
	require.Equal(t, &asyncio.ExceptionGroup{Message: "outer", Errs: []error{
		g.Errs[0], &asyncio.ExceptionGroup{Message: "inner", Errs: []error{errBoom}},
	}}, matched)
	require.Equal(t, &asyncio.ExceptionGroup{Message: "outer", Errs: []error{
		&asyncio.ExceptionGroup{Message: "inner", Errs: []error{other}}, other,
	}}, rest)
	require.ErrorIs(t, g, errBoom)
	require.NotErrorIs(t, rest, errBoom)
	require.Equal(t, "outer (2 sub-exceptions)\n  inner (1 sub-exception)\n    other\n  other", rest.Error())

	all, none := g.Split(func(error) bool { return true })
	require.Equal(t, g, all)
	require.Nil(t, none)
	none, all = g.Split(func(error) bool { return false })
	require.Equal(t, g, all)
	require.Nil(t, none)
}

func TestErrorsMatch(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		inTask(t, newLoop(t, opts...), func(ctx context.Context) {
			err := asyncio.Timeout(ctx, soon, sleepsLong)
			var netErr net.Error
			require.ErrorAs(t, err, &netErr, "code for net.Conn knows a timeout by its method")
			require.True(t, netErr.Timeout())
			require.ErrorIs(t, err, asyncio.ErrTimeout)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.NotErrorIs(t, err, context.Canceled)
			require.Equal(t, "asyncio: timed out", err.Error())
		})
	})
	cancelled := error(&asyncio.CancelledError{Msg: "m"})
	require.ErrorIs(t, cancelled, asyncio.ErrCancelled)
	require.ErrorIs(t, cancelled, context.Canceled)
	require.Equal(t, "asyncio: cancelled: m", cancelled.Error())
	require.Equal(t, "asyncio: cancelled", (&asyncio.CancelledError{}).Error())

	panicked := &asyncio.PanicError{Value: errBoom}
	require.ErrorIs(t, panicked, errBoom)
	require.Nil(t, (&asyncio.PanicError{Value: "text"}).Unwrap())
}
