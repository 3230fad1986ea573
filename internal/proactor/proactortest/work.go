package proactortest

// Cases about Work.

import (
	"sync"
	"sync/atomic"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

var workCases = []testCase{
	{name: "runs beside the loop", run: func(r *rig) {
		gate := make(chan struct{})
		var ran atomic.Bool
		r.work(func() {
			<-gate
			ran.Store(true)
		})
		r.settle()
		require.False(r.t, ran.Load())
		close(gate)
		r.until("the function", ran.Load)
	}},
	{name: "its end and Wake end a wait", run: func(r *rig) {
		for i := range int32(200) {
			var ran atomic.Int32
			r.work(func() {
				ran.Store(i + 1)
				r.p.Wake()
			})
			for ran.Load() == 0 {
				r.poll(proactor.Forever)
			}
		}
	}},
	{name: "functions run side by side", run: func(r *rig) {
		const functions = 50
		var together sync.WaitGroup
		var ran atomic.Int32
		together.Add(functions)
		for range functions {
			r.work(func() {
				together.Done()
				together.Wait()
				ran.Add(1)
			})
		}
		r.until("all of them", func() bool { return ran.Load() == functions })
	}},
	{name: "from other goroutines, and from functions", run: func(r *rig) {
		const goroutines, functions = 8, 100
		var ran atomic.Int32
		for range goroutines {
			r.spawn(func() {
				for range functions {
					r.work(func() { r.work(func() { ran.Add(1) }) })
				}
			})
		}
		r.until("all of them", func() bool { return ran.Load() == goroutines*functions })
	}},
	{name: "Close waits for none, and what was given runs", run: func(r *rig) {
		gate := make(chan struct{})
		ran := make(chan string, 2)
		r.work(func() {
			<-gate
			ran <- "before Close"
		})
		r.close()
		close(gate)
		require.Equal(r.t, "before Close", <-ran)
		r.work(func() { ran <- "after Close" })
		require.Equal(r.t, "after Close", <-ran)
	}},
}

// work runs fn beside the loop, which is woken afterwards. The case does not end before
// it.
func (r *rig) work(fn func()) {
	r.peers.Add(1)
	r.p.Work(func() {
		defer r.peers.Done()
		defer r.p.Wake()
		fn()
	})
}
