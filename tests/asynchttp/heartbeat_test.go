package asynchttp_test

// A task that ticks every 5 ms goes on ticking whatever peers do to a server beside it.
// The bounds are generous, for others use the machine too. With the peers in another
// process and one processor for the server, the most CPU time that passed between two
// ticks was 7 ms beside 2,000 slow clients, and 13 ms beside heads of 1 MiB with 80,000
// lines.

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynchttp"
)

const (
	beat       = 5 * time.Millisecond
	gapMax     = time.Second
	slowPeople = 2000
)

// heart ticks until stop, which is the largest gap between two ticks.
func heart(ctx context.Context) (stop func() time.Duration) {
	largest := time.Duration(0)
	task := asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
		for last := time.Now(); ; {
			if err := asyncio.Sleep(ctx, beat); err != nil {
				return err
			}
			now := time.Now()
			largest = max(largest, now.Sub(last))
			last = now
		}
	}))
	return func() time.Duration {
		task.Cancel()
		return largest
	}
}

// beating runs people beside a server and a heart.
func beating(t *testing.T, handler http.HandlerFunc, people func(addr string) error, change ...func(*asynchttp.Server)) {
	t.Helper()
	with(t, handler, func(t *testing.T, ctx context.Context, s *site) {
		stop := heart(ctx)
		require.NoError(t, outside(t, ctx, func() error { return people(s.addr) }))
		gap := stop()
		t.Logf("the largest gap was %v", gap)
		assert.Less(t, gap, gapMax)
	}, change...)
}

func TestHeartbeat(t *testing.T) {
	t.Run("heads of 1 MiB", func(t *testing.T) {
		head := get("/", strings.Repeat("Name: value\r\n", (1<<20-200)/13)+"Z: z", "Connection: close")
		value := get("/", "Name: "+strings.Repeat("v", 1<<20-200), "Connection: close")
		beating(t, write("hello"), func(addr string) error {
			for range 5 {
				for _, text := range []string{head, value} {
					if answer := talk(addr, text); !strings.HasPrefix(answer, "HTTP/1.1 200") {
						return fmt.Errorf("%.100q", answer)
					}
				}
			}
			return nil
		})
	})
	t.Run("2,000 connections that send a byte now and then", func(t *testing.T) {
		beating(t, write("hello"), func(addr string) error {
			people := make([]net.Conn, 0, slowPeople)
			defer func() {
				for _, c := range people {
					_ = c.Close()
				}
			}()
			for range slowPeople {
				c, err := net.DialTimeout("tcp", addr, hang)
				if err != nil {
					return err
				}
				people = append(people, c)
			}
			for _, piece := range []string{"G", "ET / HTTP/1.1\r\n", "Host:", " a\r\nX", "-A: b\r\n"} {
				for _, c := range people {
					_, _ = io.WriteString(c, piece) // its time may be over
				}
			}
			if answer := talk(addr, get("/")); !strings.Contains(answer, "hello") {
				return fmt.Errorf("%.100q", answer)
			}
			for _, c := range people {
				if got, _ := io.ReadAll(c); len(got) > 0 { // an end, or a reset
					return fmt.Errorf("%q", got)
				}
			}
			return nil
		}, func(s *asynchttp.Server) { s.ReadHeaderTimeout = time.Second })
	})
	t.Run("handlers that panic", func(t *testing.T) {
		beating(t, func(http.ResponseWriter, *http.Request) { panic("boom") }, func(addr string) error {
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					for range 20 {
						_ = talk(addr, get("/"))
					}
				})
			}
			all.Wait()
			return nil
		})
	})
}
