// Command bare times what comes nearest to a loop's operations in plain Go, without a
// loop: bare SECONDS.
package main

import (
	"iter"
	"sync"
	"time"

	"github.com/seed-a026a017/asyncio/bench/internal/cost"
)

func main() {
	cost.Main(
		cost.Work{Name: "call_later and cancel", Do: afterFunc},
		cost.Work{Name: "sleep(0)", Do: pull},
		cost.Work{Name: "create_task and await", Do: spawn},
		cost.Work{Name: "gather of 1,000, each", Do: gather},
		cost.Work{Name: "call_soon_threadsafe", Do: send},
	)
}

// afterFunc starts and stops a timer of the runtime.
func afterFunc(n int) {
	for range n {
		time.AfterFunc(time.Hour, func() {}).Stop()
	}
}

// pull switches to a coroutine and back.
func pull(n int) {
	next, stop := iter.Pull(func(yield func(struct{}) bool) {
		for yield(struct{}{}) {
		}
	})
	defer stop()
	for range n {
		next()
	}
}

// spawn starts a goroutine and waits for its result.
func spawn(n int) {
	for range n {
		c := make(chan int)
		go func() { c <- 1 }()
		<-c
	}
}

// gather starts a batch of goroutines, each with a place for its result, and waits for
// all.
func gather(n int) {
	results := make([]int, cost.Batch)
	for ; n > 0; n -= cost.Batch {
		var wg sync.WaitGroup
		for i := range results {
			wg.Go(func() { results[i] = 1 })
		}
		wg.Wait()
	}
}

// send gives functions to a goroutine that runs them, and waits after each batch until it
// has.
func send(n int) {
	functions := make(chan func(), cost.Batch)
	go func() {
		for fn := range functions {
			fn()
		}
	}()
	ran := make(chan struct{}, 1)
	for ; n > 0; n -= cost.Batch {
		for range cost.Batch - 1 {
			functions <- func() {}
		}
		functions <- func() { ran <- struct{}{} }
		<-ran
	}
	close(functions)
}
