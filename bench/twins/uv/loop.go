package main

import (
	"fmt"
	"time"

	"github.com/seed-a026a017/asyncio/bench/internal/cost"
	"github.com/seed-a026a017/asyncio/uv"
)

// side is one of two loops on two goroutines that wake each other in turn.
type side struct {
	loop  *uv.Loop
	async *uv.Async
	other *side
	left  int
}

func newSide(n int) *side {
	l, err := uv.NewLoop()
	cost.Check(err)
	s := &side{loop: l, left: n}
	s.async, err = l.NewAsync(s.woken)
	cost.Check(err)
	return s
}

func (s *side) woken() {
	s.left--
	_ = s.other.async.Send() // the last one finds it closed
	if s.left == 0 {
		s.async.Close()
	}
}

func (s *side) run() {
	_, err := s.loop.Run(uv.RunDefault)
	cost.Check(err)
	cost.Check(s.loop.Close())
}

func async(n int) {
	here := newSide(n)
	there := make(chan *side)
	done := make(chan struct{})
	go func() { // a loop belongs to the goroutine that has made it
		defer close(done)
		s := newSide(n)
		s.other = here
		there <- s
		s.run()
	}()
	here.other = <-there
	cost.Check(here.async.Send())
	here.run()
	<-done
}

// millionTimers starts all, and then all fire.
func millionTimers(n int) {
	fired := 0
	on(func(l *uv.Loop) {
		for i := range n {
			t, err := l.NewTimer()
			cost.Check(err)
			cost.Check(t.Start(time.Duration(i/10_000)*time.Millisecond, 0, func() {
				fired++
				t.Close()
			}))
		}
	})
	if fired != n {
		cost.Check(fmt.Errorf("%d of %d timers have fired", fired, n))
	}
}

// loopCount turns the loop by an idle handle.
func loopCount(n int) {
	on(func(l *uv.Loop) {
		idle, err := l.NewIdle()
		cost.Check(err)
		cost.Check(idle.Start(func() {
			if n--; n == 0 {
				idle.Close()
			}
		}))
	})
}
