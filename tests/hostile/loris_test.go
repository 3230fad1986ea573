package hostile_test

// Slow loris: thousands of clients that send a byte now and then, and never a whole
// request. They cost a read each time, and a client that behaves must hardly notice.

import (
	"context"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
)

const (
	loris         = 2000
	lorisInterval = time.Second
)

// echoLines answers whole lines.
func echoLines(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
	for line, err := range r.Lines(ctx) {
		if err != nil {
			return err
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return nil
}

// lorisServer is a server on a loop of its own, in another goroutine.
type lorisServer struct {
	address string
	stats   func() asyncio.ServerStats
	end     func() error
}

func startLorisServer(t testing.TB, opts ...asyncio.Option) lorisServer {
	l := asynciotest.New(t, opts...)
	started, ended := make(chan *asyncio.Server, 1), make(chan error, 1)
	stop := asyncio.NewEvent()
	go func() {
		_, err := asyncio.RunUntilComplete(l, asyncio.Do(func(ctx context.Context) error {
			s, err := asyncio.StartServer(ctx, func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
				_ = echoLines(ctx, r, w) // a peer that goes is no fault
				return w.Close()
			}, "tcp", "127.0.0.1:0", asyncio.WithBacklog(loris))
			if err != nil {
				return err
			}
			started <- s
			err = stop.Wait(ctx)
			s.Close()
			s.AbortClients()
			if err == nil {
				err = s.WaitClosed(ctx)
			}
			return err
		}))
		ended <- err
	}()
	s := <-started
	return lorisServer{
		address: s.Addrs()[0].String(),
		stats: func() asyncio.ServerStats {
			stats := make(chan asyncio.ServerStats, 1)
			_, err := l.CallSoonThreadsafe(func() { stats <- s.Stats() })
			require.NoError(t, err)
			return <-stats
		},
		end: func() error {
			_, err := l.CallSoonThreadsafe(stop.Set)
			require.NoError(t, err)
			return <-ended
		},
	}
}

// latencies exchanges lines with the server for a while, and returns how long each took,
// sorted.
func latencies(t testing.TB, address string, while time.Duration) (took []time.Duration) {
	peer, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer peer.Close()
	for start, now := time.Now(), time.Now(); now.Sub(start) < while; {
		require.NoError(t, exchange(peer, "a line\n"))
		before := now
		now = time.Now()
		took = append(took, now.Sub(before))
	}
	slices.Sort(took)
	return took
}

// percentile is the time that p of a hundred are below.
func percentile(sorted []time.Duration, p int) time.Duration { return sorted[len(sorted)*p/100] }

// besideLoris calls fn while the clients drip.
func (s lorisServer) besideLoris(t testing.TB, fn func()) {
	peers := make([]net.Conn, loris)
	for i := range peers {
		c, err := net.Dial("tcp", s.address)
		require.NoError(t, err)
		peers[i] = c
	}
	for s.stats().Connections < loris {
	}
	end := drip(peers, lorisInterval)
	fn()
	end()
	for _, c := range peers {
		require.NoError(t, c.(*net.TCPConn).SetLinger(0))
		require.NoError(t, c.Close())
	}
	for s.stats().Connections > 0 {
	}
}

// The bounds are wide, since the machine may have other things to do; the benchmark below
// has the figure.
func TestSlowLoris(t *testing.T) {
	const rounds, while, timesMax = 3, 200 * time.Millisecond, 5
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		s := startLorisServer(t, opts...)
		latencies(t, s.address, while) // warms up
		var alone, beside []time.Duration
		for range rounds {
			alone = append(alone, percentile(latencies(t, s.address, while), 50))
			s.besideLoris(t, func() {
				beside = append(beside, percentile(latencies(t, s.address, while), 50))
				require.LessOrEqual(t, s.stats().ReadBuffered, 60*loris, "a few bytes each")
			})
		}
		slices.Sort(alone)
		slices.Sort(beside)
		t.Logf("median of a line alone %v, beside %d slow clients %v", alone[rounds/2], loris, beside[rounds/2])
		require.LessOrEqual(t, beside[rounds/2], timesMax*alone[rounds/2]+5*time.Millisecond)
		require.NoError(t, s.end())
	})
}

// BenchmarkSlowLoris measures the 99th percentile of a line's time, alone and beside the
// slow clients, in turns.
func BenchmarkSlowLoris(b *testing.B) {
	const rounds, while = 5, time.Second
	for _, d := range asynciotest.Drivers() {
		b.Run(d.String(), func(b *testing.B) {
			s := startLorisServer(b, asyncio.WithDriver(d))
			latencies(b, s.address, while)
			for b.Loop() {
				var alone, beside, ratios []float64
				for range rounds {
					a := percentile(latencies(b, s.address, while), 99)
					s.besideLoris(b, func() {
						c := percentile(latencies(b, s.address, while), 99)
						alone, beside = append(alone, float64(a)), append(beside, float64(c))
						ratios = append(ratios, float64(c)/float64(a))
					})
				}
				for _, all := range [][]float64{alone, beside, ratios} {
					slices.Sort(all)
				}
				b.ReportMetric(alone[rounds/2]/1e3, "p99-alone-us")
				b.ReportMetric(beside[rounds/2]/1e3, "p99-beside-us")
				b.ReportMetric(ratios[rounds/2], "ratio")
			}
			require.NoError(b, s.end())
		})
	}
}
