package asyncio

// The deputy: a task that suspends and stands in for the loop. Where the next thing to run is another task, the one that
// suspends resumes it from its own coroutine, and goes on so until its own turn comes or something does that is the loop's:
// a poll, a callback, a task for which no coroutine is free. The order is the loop's, and so are the turns. What it saves is
// the way to the loop and back: two switches of four for a task that is made and awaited, and both for a task that yields
// while no other is ready.
//
//	the loop -> the deputy -> the task that runs -> the eager task that it makes -> ...
//
// There is one deputy at most. A task that it has resumed suspends to it, so that each step still costs two switches at
// most. The deputy cannot be resumed as long as it waits for the task above it; whoever wants to look at its stack, or to
// unwind the loop, comes down to it first. While the loop itself is in control there is no deputy.

// goesOn makes the steps that come next. True: now it is t's own turn; false: t has to suspend.
func (t *task) goesOn() bool { return t.loop.deputy == nil && t.standIn() }

func (t *task) standIn() bool {
	l, d := t.loop, t.co
	if d.nested {
		return false // its creator goes on first
	}
	l.deputy = d
	next := l.takeStep()
	for next != nil && next != t {
		c := next.co // which may have ended this task, and begun another one, when it suspends
		c.resume()
		for d.inspect {
			d.frames, d.inspect = callerTraceback(), false
			c.resume()
		}
		next = l.takeStep()
	}
	l.deputy = nil
	return next == t
}

// takeStep takes the next task out of the queue and makes it the one that runs; nil: the loop has to go on.
func (l *Loop) takeStep() *task {
	if l.debug || l.unwinding != nil || l.batch == 0 && !l.mayBeginTurn() {
		return nil
	}
	t, ok := l.ready.peek().(*task)
	if !ok || t.co == nil && !l.coroutines.giveFree(t) {
		return nil
	}
	if l.batch == 0 {
		l.countTurn()
	}
	l.ready.pop()
	l.batch--
	t.phase = taskRunning
	l.current = t
	return t
}

// mayBeginTurn tells whether the next turn begins with what is ready, and nothing else.
func (l *Loop) mayBeginTurn() bool {
	return l.inTurn && !l.stopping && !l.mustPoll() && !l.inbox.filled.Load()
}

// giveFree gives t a free coroutine, unless there is none or t was cancelled before its first step. A new one would be made
// on the deputy's small stack, which is why the loop does that.
func (p *coroutinePool) giveFree(t *task) bool {
	if p.free == nil || t.interrupted != nil {
		return false
	}
	t.co = p.get(t)
	return true
}

// unwindLoop is called on c, in a Goexit. It returns when no deputy is left below, which would end with it. An eager task's
// creator is to end with it, and calls this itself.
func (l *Loop) unwindLoop(c *coroutine) {
	if l.deputy != nil && !c.nested {
		l.unwinding = c
		c.yield(struct{}{})
	}
}

// goOnUnwinding lets the Goexit of a coroutine reach the loop, which calls this after each step.
func (l *Loop) goOnUnwinding() {
	if c := l.unwinding; c != nil {
		l.unwinding = nil
		c.resume()
	}
}

// deputyStack lets the deputy look at its own frames. The caller is the task that runs.
func (l *Loop) deputyStack() *traceback {
	d := l.deputy
	d.inspect = true
	l.current.co.yield(struct{}{})
	frames := d.frames
	d.frames = nil
	return frames
}

// passToDeputy is called by the creator of an eager task that has suspended to it, perhaps on the way to the deputy.
func (l *Loop) passToDeputy(creator *task, c *coroutine) {
	for l.deputy != nil && l.deputy.inspect {
		creator.co.yield(struct{}{})
		c.resume()
	}
}
