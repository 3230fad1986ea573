package tasks_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// What was given up holds nothing of what it was to wait for, however long one of its
// futures lives.
func TestGivenUpWaitsLetGo(t *testing.T) {
	const waits, resultBytes = 400, 256 << 10
	big := asyncio.Coro[[]byte](func(context.Context) ([]byte, error) { return make([]byte, resultBytes), nil })
	failing := asyncio.Coro[[]byte](func(context.Context) ([]byte, error) { return nil, testkit.ErrBoom })
	give := map[string]func(ctx context.Context, forever *asyncio.Future[[]byte]){
		"AsCompleted, break": func(ctx context.Context, forever *asyncio.Future[[]byte]) {
			for range asyncio.AsCompleted[[]byte](ctx, forever, big) {
				break
			}
		},
		"AsCompleted in a Timeout": func(ctx context.Context, forever *asyncio.Future[[]byte]) {
			_ = asyncio.Timeout(ctx, time.Microsecond, func(ctx context.Context) error {
				var last error
				for _, r := range asyncio.AsCompleted[[]byte](ctx, forever, big) {
					last = r.Err
				}
				return last
			})
		},
		"AsCompleted, never ranged over": func(ctx context.Context, forever *asyncio.Future[[]byte]) {
			asyncio.AsCompleted[[]byte](ctx, forever, big)
		},
		"Gather that has failed": func(ctx context.Context, forever *asyncio.Future[[]byte]) {
			_, err := asyncio.Gather[[]byte](ctx, forever, big, failing).Await(ctx)
			require.ErrorIs(t, err, testkit.ErrBoom)
		},
		"Wait": func(ctx context.Context, forever *asyncio.Future[[]byte]) {
			_, _, err := asyncio.Wait(ctx, []asyncio.AnyFuture{forever, asyncio.CreateTask(ctx, big)},
				asyncio.ReturnWhen(asyncio.FirstCompleted))
			require.NoError(t, err)
		},
	}
	for name, giveUp := range give {
		t.Run(name, func(t *testing.T) {
			asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
				l := asynciotest.New(t, opts...)
				forever := asyncio.NewFuture[[]byte](l)
				asynciotest.InTask(t, l, func(ctx context.Context) {
					before := liveHeap()
					for range waits {
						giveUp(ctx, forever)
					}
					for range 3 {
						require.NoError(t, asyncio.Sleep(ctx, 0))
					}
					held := int64(liveHeap()) - int64(before)
					require.Less(t, held, int64(waits*resultBytes/4), "of %d bytes of results", waits*resultBytes)
				})
				require.NoError(t, forever.SetResult(nil))
			})
		})
	}
}

func liveHeap() uint64 {
	runtime.GC()
	runtime.GC() // what the first one has freed of, cleanups and finalizers held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Sequences that were ranged over to their end are not looked for.
func TestFinishedSequencesCostNothing(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			const sequences = 1000
			for range sequences {
				for range asyncio.AsCompleted(ctx, asyncio.Do(func(context.Context) error { return nil })) {
				}
			}
			before := l.Stats().Callbacks
			liveHeap()
			asynciotest.Yield(t, ctx, 20)
			require.Less(t, l.Stats().Callbacks-before, uint64(sequences/2))
		})
	})
}

// However many sequences wait for a future that lives long, they are forgotten at once.
func TestManyGivenUpSequencesAreForgottenTogether(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			forever := asyncio.NewFuture[asyncio.None](l)
			other := testkit.Awaits(ctx, forever)
			asynciotest.Yield(t, ctx, 1)
			for range 2000 {
				asyncio.AsCompleted[asyncio.None](ctx, forever)
			}
			liveHeap()
			asynciotest.Yield(t, ctx, 20)
			require.NoError(t, forever.SetResult(asyncio.None{}))
			_, err := other.Await(ctx)
			require.NoError(t, err, "others that wait are left alone")
		})
	})
}
