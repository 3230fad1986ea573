// Command goja times the event loop of dop251/goja_nodejs, used from Go: goja SECONDS. It
// has callbacks and timers, no tasks. The loop runs in the foreground; RunOnLoop is the
// only way to schedule a callback, from the loop as from outside.
package main

import (
	"log"
	"time"

	"github.com/dop251/goja"
	"github.com/dop251/goja_nodejs/eventloop"

	"github.com/seed-a026a017/asyncio/bench/internal/cost"
)

func main() {
	l := eventloop.NewEventLoop(eventloop.EnableConsole(false))
	cost.Main(
		cost.Work{Name: "call_soon", Do: func(n int) { inCallbacks(l, n, func() { call(l, nothing) }) }},
		cost.Work{Name: "call_later and cancel", Do: func(n int) { inCallbacks(l, n, func() { l.ClearTimeout(l.SetTimeout(nothing, time.Hour)) }) }},
		cost.Work{Name: "call_soon_threadsafe", Do: func(n int) { threadsafe(l, n) }},
	)
}

func nothing(*goja.Runtime) {}

func call(l *eventloop.EventLoop, fn func(*goja.Runtime)) {
	if !l.RunOnLoop(fn) {
		log.Fatal("the loop does not take a callback")
	}
}

// inCallbacks calls do n times, in callbacks of a batch each. The next batch begins when
// the loop has run what this one has scheduled.
func inCallbacks(l *eventloop.EventLoop, n int, do func()) {
	var next func(*goja.Runtime)
	next = func(*goja.Runtime) {
		if n == 0 {
			l.StopNoWait()
			return
		}
		for range cost.Batch {
			do()
		}
		n -= cost.Batch
		call(l, next)
	}
	call(l, next)
	l.StartInForeground()
}

// threadsafe lets another goroutine make the calls. After each batch it waits until the
// loop has run it.
func threadsafe(l *eventloop.EventLoop, n int) {
	go func() {
		ran := make(chan struct{}, 1)
		for ; n > 0; n -= cost.Batch {
			for range cost.Batch - 1 {
				call(l, nothing)
			}
			call(l, func(*goja.Runtime) { ran <- struct{}{} })
			<-ran
		}
		l.StopNoWait()
	}()
	l.StartInForeground()
}
