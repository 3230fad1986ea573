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
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestExceptionGroupSplit(t *testing.T) {
	other := errors.New("other")
	inner := &asyncio.ExceptionGroup{Message: "inner", Errs: []error{testkit.ErrBoom, other}}
	g := &asyncio.ExceptionGroup{Message: "outer", Errs: []error{fmt.Errorf("wrapped: %w", testkit.ErrBoom), inner, other}}
	isBoom := func(err error) bool { return errors.Is(err, testkit.ErrBoom) }

	matched, rest := g.Split(isBoom)
	require.Equal(t, &asyncio.ExceptionGroup{Message: "outer", Errs: []error{
		g.Errs[0], &asyncio.ExceptionGroup{Message: "inner", Errs: []error{testkit.ErrBoom}},
	}}, matched)
	require.Equal(t, &asyncio.ExceptionGroup{Message: "outer", Errs: []error{
		&asyncio.ExceptionGroup{Message: "inner", Errs: []error{other}}, other,
	}}, rest)
	require.ErrorIs(t, g, testkit.ErrBoom)
	require.NotErrorIs(t, rest, testkit.ErrBoom)
	require.Equal(t, "outer (2 sub-exceptions)\n  inner (1 sub-exception)\n    other\n  other", rest.Error())

	all, none := g.Split(func(error) bool { return true })
	require.Equal(t, g, all)
	require.Nil(t, none)
	none, all = g.Split(func(error) bool { return false })
	require.Equal(t, g, all)
	require.Nil(t, none)
}

func TestErrorsMatch(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
			err := asyncio.Timeout(ctx, testkit.Soon, testkit.SleepsLong)
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

	panicked := &asyncio.PanicError{Value: testkit.ErrBoom}
	require.ErrorIs(t, panicked, testkit.ErrBoom)
	require.Nil(t, (&asyncio.PanicError{Value: "text"}).Unwrap())
}
