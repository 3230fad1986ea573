//go:build unix

package wait

import "time"

// blocker waits inside a turn of the loop, which blocks its thread.
type blocker struct {
	loop  Loop
	sleep *Sleep
}

func (w blocker) Wait(timeout time.Duration, ifAlive bool) {
	if timeout == 0 || !w.sleep.begin() {
		w.loop.Turn(0, false)
		return
	}
	found := w.loop.Turn(timeout, ifAlive)
	w.sleep.end()
	w.sleep.slept(found.Waited)
}

func (w blocker) Wake() { w.loop.Signal() }

func (w blocker) Close() {}
