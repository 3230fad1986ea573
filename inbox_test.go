// The inbox: what other goroutines have sent and the loop has not seen.
package asyncio_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestInboxLimit(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		const limit = 3
		limited := append(opts, asyncio.WithInboxLimit(limit))
		// fillInbox sends calls, which count how often they run, until no more are
		// accepted.
		fillInbox := func(t *testing.T, l *asyncio.Loop, ran *int) {
			for range limit {
				_, err := l.CallSoonThreadsafe(func() { *ran++ })
				require.NoError(t, err)
			}
			h, err := l.CallSoonThreadsafe(func() { t.Error("it was refused") })
			require.ErrorIs(t, err, asyncio.ErrInboxFull)
			require.Nil(t, h)
		}
		t.Run("calls beyond it are refused until the loop has taken those that wait", func(t *testing.T) {
			l := asynciotest.New(t, limited...)
			ran := 0
			for range 3 {
				fillInbox(t, l, &ran)
				asynciotest.Turn(t, l)
			}
			require.Equal(t, 3*limit, ran)
		})
		t.Run("so are coroutines", func(t *testing.T) {
			l := asynciotest.New(t, limited...)
			ran := 0
			fillInbox(t, l, &ran)
			_, err := asyncio.RunCoroutineThreadsafe(l, testkit.Returning(1, 0)).Result(context.Background())
			require.ErrorIs(t, err, asyncio.ErrInboxFull)
			asynciotest.Turn(t, l)
			f := asyncio.RunCoroutineThreadsafe(l, testkit.Returning(1, 0))
			asynciotest.Turns(t, l, 3)
			v, err := f.Result(context.Background())
			require.NoError(t, err)
			require.Equal(t, 1, v)
		})
		t.Run("a coroutine that was refused is told if nobody looks", func(t *testing.T) {
			l := asynciotest.New(t, limited...)
			handler := asynciotest.RecordReports(l)
			ran := 0
			fillInbox(t, l, &ran)
			asyncio.RunCoroutineThreadsafe(l, testkit.Returning(1, 0))
			asynciotest.Turn(t, l)
			require.NoError(t, l.Close())
			require.ErrorIs(t, handler.One(t).Exception, asyncio.ErrInboxFull)
		})
		t.Run("results of functions in threads come through", func(t *testing.T) {
			l := asynciotest.New(t, limited...)
			ran := 0
			asynciotest.InTask(t, l, func(ctx context.Context) {
				gate := make(chan struct{})
				pool := asyncio.NewThreadPool(2 * limit)
				var all []asyncio.Awaitable[int]
				for i := range 2 * limit {
					all = append(all, asyncio.RunInExecutor(ctx, pool, func() (int, error) { <-gate; return i, nil }))
				}
				fillInbox(t, l, &ran)
				close(gate)
				pool.Shutdown(true)
				values, err := asyncio.Gather(ctx, all...).Await(ctx)
				require.NoError(t, err)
				require.Equal(t, []int{0, 1, 2, 3, 4, 5}, values)
			})
			require.Equal(t, limit, ran)
		})
		t.Run("it must be positive", func(t *testing.T) {
			testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { asyncio.WithInboxLimit(0) })
		})
		t.Run("none by default", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			ran := 0
			testkit.OnGoroutine(func() {
				for range 10_000 {
					_, err := l.CallSoonThreadsafe(func() { ran++ })
					assert.NoError(t, err)
				}
			})
			asynciotest.Turn(t, l)
			require.Equal(t, 10_000, ran)
		})
	})
}
