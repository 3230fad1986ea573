package asyncio

// Debug mode. Callbacks and steps that hold the loop for too long are logged, with the
// place to look at; so are tasks that wait for something that cannot happen, and what a
// loop that is closed has left open. Calls from the wrong goroutine panic, and reports
// say where the failing thing was made.

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"time"
)

// slowCallbackDefault is how long a callback may hold the loop before debug mode says so.
const slowCallbackDefault = 100 * time.Millisecond

// stallPerSlow is how long all tasks may wait for nothing before debug mode says so, in
// slow callbacks: a second, if they have their default. Other goroutines may still wake
// the tasks, and mostly do so earlier.
const stallPerSlow = 10

// Debug reports whether the loop is in debug mode: loop.get_debug.
func (l *Loop) Debug() bool { return l.debug }

// SetDebug turns debug mode on or off: loop.set_debug. Callbacks, futures and tasks that
// exist keep what was, or was not, noted of where they were made.
func (l *Loop) SetDebug(on bool) { l.debug = on }

// SetSlowCallbackDuration sets from which duration on debug mode logs a callback, a step
// of a task, or a callback of a protocol. The default is 100 ms; 0 logs all:
// loop.slow_callback_duration. If all tasks have waited ten times as long for something
// that only another goroutine can make happen, debug mode logs that too, with their
// stacks, once for each task. And if a task has blocked its loop ten times as long while
// calls of a NetConn wait for the loop, that is logged, in debug mode or not.
func (l *Loop) SetSlowCallbackDuration(d time.Duration) {
	l.slowCallback = d
	l.outsiders.setLimit(l.stallLimit())
}

// stallLimit is how long the loop may stand still.
func (l *Loop) stallLimit() time.Duration {
	if l.slowCallback < Forever/stallPerSlow {
		return stallPerSlow * l.slowCallback
	}
	return Forever
}

// runTimed runs r and logs it if it was slow. A step that ends debug mode may go on to
// make the next ones, as the deputy.
func (l *Loop) runTimed(r runnable) {
	start := l.pro.Now()
	if t, ok := r.(*task); ok {
		t.mustBe(taskReady)
	}
	defer func() {
		if took := l.pro.Now() - start; l.debug && took >= l.slowCallback {
			s := describe(r)
			l.logSlow(s.name, s.place(), took, s.source)
		}
	}()
	r.run(l)
}

// timed begins to time a method of a protocol; what it returns ends that. It is for debug
// mode.
func (l *Loop) timed(protocol any, method string) (end func()) {
	start := l.pro.Now()
	return func() {
		if took := l.pro.Now() - start; took >= l.slowCallback {
			l.logSlow(fmt.Sprintf("%T.%s", protocol, method), "", took, nil)
		}
	}
}

func (l *Loop) logSlow(name, place string, took time.Duration, source *traceback) {
	attrs := []any{"duration", took}
	if place != "" {
		attrs = append(attrs, "place", place)
	}
	if source != nil {
		attrs = append(attrs, "source_traceback", source.String())
	}
	l.log().Warn(fmt.Sprintf("Executing %s took %.3f seconds", name, took.Seconds()), attrs...)
}

// stallWatch looks for tasks that wait for nothing.
type stallWatch struct {
	callbacks uint64        // that had run when the wait began
	since     time.Duration // when it began
	reported  uint64        // the youngest task that was reported
}

// idleTimeout is how long a poll may wait while no callback is ready and no timer is
// armed: for ever, unless debug mode wants to see whether the loop has stalled.
func (l *Loop) idleTimeout() time.Duration {
	if !l.debug || len(l.tasks.tasks) == 0 || l.outside() > 0 {
		return Forever
	}
	s, now, youngest := &l.stall, l.pro.Now(), l.tasks.youngest()
	switch {
	case s.reported >= youngest:
		return Forever
	case s.callbacks != l.counters.callbacks || s.since == 0:
		s.callbacks, s.since = l.counters.callbacks, now
	}
	if left := l.stallLimit() - (now - s.since); left > 0 {
		return left
	}
	s.reported = youngest
	l.reportStall()
	return 0 // the logger may have woken somebody
}

// reportStall logs what all tasks wait in.
func (l *Loop) reportStall() {
	var stacks strings.Builder
	for _, t := range l.tasks.all() {
		frames, _ := t.frames()
		fmt.Fprintf(&stacks, "%s\n%s", t.Name(), frames)
	}
	l.log().Warn("All tasks wait, and only another goroutine can wake them: no callback, timer, connection, listening socket "+
		"or function in an executor is left", "tasks", stacks.String())
}

// unclosedLoop is what is told of a loop that was dropped without Close.
type unclosedLoop struct {
	logger *slog.Logger
	driver Driver
	source *traceback
}

// watchUnclosed tells when the garbage collector finds the loop. Once it has run a task
// it has coroutines, which refer to it: then those are the leak to look for.
func (l *Loop) watchUnclosed() runtime.Cleanup {
	return runtime.AddCleanup(l, (*unclosedLoop).report, &unclosedLoop{logger: l.logger, driver: l.driver, source: l.callerTraceback()})
}

func (u *unclosedLoop) report() {
	logOrDefault(u.logger).Warn("unclosed event loop: it was dropped, and what it holds is lost; call Loop.Close",
		"driver", u.driver.String(), "source_traceback", u.source.String())
}
