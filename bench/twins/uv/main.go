// Command uv does what the C program beside it does, on package uv: uv SECONDS. The names
// of the works are those of libuv's own benchmarks.
package main

import (
	"github.com/seed-a026a017/asyncio/bench/internal/cost"
	"github.com/seed-a026a017/asyncio/uv"
)

const (
	pieceBytes    = 64 << 10
	writeBytes    = 100
	datagramBytes = 64
	peers         = 10
)

func main() {
	cost.Main(
		cost.Work{Name: "ping_pongs", Do: pingPongs},
		cost.Work{Name: "tcp_pump, 64 KiB", Do: tcpPump},
		cost.Work{Name: "pipe_pump, 64 KiB", Do: pipePump},
		cost.Work{Name: "tcp_write_batch", Do: tcpWriteBatch},
		cost.Work{Name: "udp_pummel, 1 to 1", Do: func(n int) { udpPummel(n, 1) }},
		cost.Work{Name: "udp_pummel, 10 to 10", Do: func(n int) { udpPummel(n, peers) }},
		cost.Work{Name: "async", Do: async},
		cost.Work{Name: "million_timers", Do: millionTimers, From: 1_000_000},
		cost.Work{Name: "loop_count", Do: loopCount},
		cost.Work{Name: "fs_stat", Do: fsStat},
		cost.Work{Name: "spawn", Do: spawn, From: 50},
	)
}

// on runs a loop of its own until nothing is left of it.
func on(begin func(l *uv.Loop)) {
	l, err := uv.NewLoop()
	cost.Check(err)
	begin(l)
	_, err = l.Run(uv.RunDefault)
	cost.Check(err)
	cost.Check(l.Close())
}
