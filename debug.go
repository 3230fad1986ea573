package asyncio

// Debug mode: callbacks and steps that hold the loop for too long are logged, calls from the wrong goroutine panic, and
// reports say where the failing thing was made.

import "time"

// slowCallbackDefault is how long a callback may hold the loop before debug mode says so.
const slowCallbackDefault = 100 * time.Millisecond

// Debug tells whether the loop is in debug mode.
func (l *Loop) Debug() bool { return l.debug }

// SetDebug turns debug mode on or off: loop.set_debug.
func (l *Loop) SetDebug(on bool) { l.debug = on }

// SetSlowCallbackDuration sets from which duration on debug mode logs a callback or step; the default is 100 ms:
// loop.slow_callback_duration.
func (l *Loop) SetSlowCallbackDuration(d time.Duration) { l.slowCallback = d }

// runTimed runs r and logs it if it was slow.
func (l *Loop) runTimed(r runnable) {
	start := l.pro.Now()
	defer func() {
		if took := l.pro.Now() - start; took >= l.slowCallback {
			name, fn, _, source, _ := describe(r)
			if name == "" {
				name = funcName(fn)
			}
			l.log().Warn("Executing "+name+" took "+took.Round(time.Microsecond).String(), "duration", took, "source_traceback", source.String())
		}
	}()
	r.run(l)
}
