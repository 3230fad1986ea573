package netconn_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// errorLog hands on what is logged as an error.
type errorLog struct {
	slog.Handler
	records chan map[string]string
}

func (e *errorLog) Enabled(context.Context, slog.Level) bool { return true }

func (e *errorLog) Handle(_ context.Context, r slog.Record) error {
	if r.Level < slog.LevelError {
		return nil
	}
	attrs := map[string]string{"msg": r.Message}
	r.Attrs(func(a slog.Attr) bool {
		attrs[a.Key] = a.Value.String()
		return true
	})
	e.records <- attrs
	return nil
}

// watched runs body in a task of a loop that may stand still for 20 ms, and requires so
// many reports.
func watched(t *testing.T, reports int, body func(t *testing.T, ctx context.Context, told <-chan map[string]string)) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		log := &errorLog{records: make(chan map[string]string, 10)}
		l := asynciotest.New(t, append(opts, asyncio.WithLogger(slog.New(log)))...)
		l.SetSlowCallbackDuration(2 * time.Millisecond)
		handled := asynciotest.RecordReports(l)
		asynciotest.InTask(t, l, func(ctx context.Context) { body(t, ctx, log.records) })
		require.Empty(t, log.records, "it is told once")
		require.Len(t, handled.All(), reports)
		for _, report := range handled.All() {
			require.Contains(t, report.Message, "blocks its loop")
		}
	})
}

func TestTaskThatBlocksItsLoopIsNamed(t *testing.T) {
	t.Run("on a mutex that a task in Read holds", func(t *testing.T) {
		watched(t, 1, func(t *testing.T, ctx context.Context, told <-chan map[string]string) {
			conn, peer := connToNet(t, ctx)
			var mu sync.Mutex
			reads := asyncio.CreateTask(ctx, func(context.Context) (outcome, error) {
				mu.Lock()
				return readOnce(conn, 1), nil
			}, asyncio.WithName("holder"))
			asynciotest.Yield(t, ctx, 1)
			blocks := asyncio.CreateTask(ctx, func(context.Context) (asyncio.None, error) {
				mu.Lock()
				return asyncio.None{}, nil
			}, asyncio.WithName("blocker"))
			report := make(chan map[string]string, 1)
			go func() {
				report <- asynciotest.Eventually(t, told)
				mu.Unlock()
			}()
			_, err := blocks.Await(ctx)
			require.NoError(t, err)
			got := <-report
			require.Equal(t, "blocker", got["task"])
			require.Contains(t, got["msg"], "blocker blocks its loop")
			require.Contains(t, got["msg"], "ToThread")
			require.Equal(t, "sync.Mutex.Lock", got["state"])
			require.Equal(t, "sync.(*Mutex).Lock", got["call"])
			require.Contains(t, got["place"], "blocked_test.go:")
			require.Contains(t, got["waiting"], "holder in Read of "+peer.LocalAddr().String())
			require.Contains(t, got["stack"], "TestTaskThatBlocksItsLoopIsNamed")
			require.NoError(t, peer.Close())
			_, err = reads.Await(ctx)
			require.NoError(t, err)
		})
	})
	t.Run("after the loop has slept for long", func(t *testing.T) {
		watched(t, 1, func(t *testing.T, ctx context.Context, told <-chan map[string]string) {
			conn, _ := connToNet(t, ctx)
			go readOnce(conn, 1)
			require.NoError(t, asyncio.Sleep(ctx, 100*time.Millisecond)) // ten looks
			report := make(chan map[string]string, 1)
			unblock := make(chan struct{})
			go func() {
				report <- asynciotest.Eventually(t, told)
				close(unblock)
			}()
			<-unblock
			require.Contains(t, (<-report)["waiting"], "a goroutine in Read of ")
		})
	})
	t.Run("on a mutex that a task in Write holds", func(t *testing.T) {
		watched(t, 1, func(t *testing.T, ctx context.Context, told <-chan map[string]string) {
			conn, _ := connToNet(t, ctx)
			var mu sync.Mutex
			writes := asyncio.CreateTask(ctx, func(context.Context) (asyncio.None, error) {
				mu.Lock()
				for {
					if _, err := conn.Write(make([]byte, 64<<10)); err != nil {
						return asyncio.None{}, nil
					}
				}
			}, asyncio.WithName("holder"))
			asynciotest.Yield(t, ctx, 1)
			report := make(chan map[string]string, 1)
			go func() {
				report <- asynciotest.Eventually(t, told)
				mu.Unlock()
			}()
			mu.Lock()
			require.Contains(t, (<-report)["waiting"], "holder in Write of ")
			require.NoError(t, conn.Close())
			_, err := writes.Await(ctx)
			require.NoError(t, err)
		})
	})
	t.Run("on a goroutine that is in Read", func(t *testing.T) {
		watched(t, 1, func(t *testing.T, ctx context.Context, told <-chan map[string]string) {
			conn, peer := connToNet(t, ctx)
			answer := make(chan outcome, 1)
			go func() { answer <- readOnce(conn, 1) }()
			report := make(chan map[string]string, 1)
			go func() {
				report <- asynciotest.Eventually(t, told)
				_ = conn.SetReadDeadline(time.Unix(1, 0))
			}()
			requireTimeout(t, (<-answer).err)
			got := <-report
			require.Equal(t, "chan receive", got["state"])
			require.Contains(t, got["place"], "blocked_test.go:")
			require.Contains(t, got["waiting"], "a goroutine in Read of "+peer.LocalAddr().String())
		})
	})
	t.Run("on a client of package http", func(t *testing.T) {
		watched(t, 1, func(t *testing.T, ctx context.Context, told <-chan map[string]string) {
			l := testkit.LoopOf(ctx)
			peer := testkit.ListenNet(t)
			request, give := context.WithCancel(context.Background())
			report := make(chan map[string]string, 1)
			go func() {
				report <- asynciotest.Eventually(t, told)
				give()
			}()
			transport := &http.Transport{DialContext: l.DialContext}
			defer transport.CloseIdleConnections()
			get, err := http.NewRequestWithContext(request, http.MethodGet, "http://"+peer.Addr().String(), nil)
			require.NoError(t, err)
			_, err = (&http.Client{Transport: transport}).Do(get)
			require.ErrorIs(t, err, context.Canceled)
			got := <-report
			require.True(t, strings.HasPrefix(got["call"], "net/http."), got["call"])
			require.Contains(t, got["waiting"], "a goroutine in DialContext of "+peer.Addr().String())
		})
	})
	t.Run("in a callback", func(t *testing.T) {
		watched(t, 1, func(t *testing.T, ctx context.Context, told <-chan map[string]string) {
			ln := listen(t, ctx)
			go func() { _, _ = ln.Accept() }()
			var wait sync.WaitGroup
			wait.Add(1)
			report := make(chan map[string]string, 1)
			go func() {
				report <- asynciotest.Eventually(t, told)
				wait.Done()
			}()
			testkit.LoopOf(ctx).CallSoon(wait.Wait)
			asynciotest.Yield(t, ctx, 2)
			got := <-report
			require.Equal(t, "A callback", got["task"])
			require.Equal(t, "sync.WaitGroup.Wait", got["state"])
			require.NoError(t, ln.Close())
		})
	})
}

// The same where the loop is locked to its thread.
func TestTaskThatBlocksALockedLoopIsNamed(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		testkit.OnGoroutine(func() {
			log := &errorLog{records: make(chan map[string]string, 10)}
			l, err := asyncio.NewEventLoop(append(opts, asyncio.WithLogger(slog.New(log)), asyncio.WithLockedThread())...)
			assert.NoError(t, err)
			l.SetSlowCallbackDuration(2 * time.Millisecond)
			_, err = asyncio.RunUntilComplete(l, asyncio.Do(func(ctx context.Context) error {
				ln, err := l.Listen(ctx, "tcp", "127.0.0.1:0")
				if err != nil {
					return err
				}
				defer ln.Close()
				go func() { _, _ = ln.Accept() }()
				told := <-log.records
				assert.Equal(t, "chan receive", told["state"])
				assert.Contains(t, told["waiting"], "a goroutine in Accept of ")
				return nil
			}))
			assert.NoError(t, err)
			assert.NoError(t, l.Close())
		})
	})
}

// What ends by itself is no fault, and where nobody waits there is none to tell of.
func TestLoopThatIsOnlySlowIsNotReported(t *testing.T) {
	const long = 100 * time.Millisecond
	watched(t, 0, func(t *testing.T, ctx context.Context, told <-chan map[string]string) {
		conn, _ := connToNet(t, ctx)
		timer := time.NewTimer(long)
		<-timer.C // nobody waits for the loop
		read := asyncio.CreateTask(ctx, func(context.Context) (outcome, error) { return readOnce(conn, 1), nil })
		asynciotest.Yield(t, ctx, 1)
		for began := time.Now(); time.Since(began) < long; {
		}
		require.NoError(t, asyncio.Sleep(ctx, long))
		read.Cancel()
		_, _ = read.Await(ctx)
		require.Empty(t, told)
	})
}
