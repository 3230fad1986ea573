package asyncio

// The deputy: a task that suspends and stands in for the loop. Where the next thing to
// run is another task, the one that suspends resumes it from its own coroutine, and goes
// on so until its own turn comes or something does that is the loop's: a poll, a
// callback, a task for which no coroutine is free. The order is the loop's, and so are
// the turns. What it saves is the way to the loop and back: two switches of four for a
// task that is made and awaited, and both for a task that yields while no other is ready.
//
//	the loop -> the deputy -> the task that runs -> the eager task that it makes -> ...
//
// There is one deputy at most. A task that it has resumed suspends to it, so that each
// step still costs two switches at most. The deputy cannot be resumed as long as it waits
// for the task above it; whoever wants to look at its stack, or to unwind the loop, comes
// down to it first: each coroutine of the row suspends to the one before it. While the
// loop itself is in control there is no deputy.
//
// The states of a coroutine, and where each is noted:
//
//	state      noted in            what its stack does         next
//	free       coroutinePool.free  waits for a task            running
//	running    Loop.current        runs a task                 suspended, free, ended
//	nested     coroutine.nested    runs an eager task's first  suspended, free, ended
//	                               step for its creator
//	suspended  task.phase, ready   waits in its task's Await   running, deputy
//	           or suspended
//	deputy     Loop.deputy         has suspended its task and  running, suspended
//	                               resumes others
//	inspected  coroutine.inspect,  looks at its own frames     what it was
//	           Loop.inspected
//	guest      coroutine.host      runs a task on top of       suspended, deputy
//	                               another one: guest.go
//	unwinding  Loop.unwinding      has a Goexit or panic that  ended
//	                               waits for the deputy
//	ended      nowhere             is gone
//
// A Goexit, and a panic that is not a task's, would end the deputy on the way to the
// loop. So the coroutine in which it happens suspends once more, as the last thing it
// does; then so does the deputy, and the loop lets it go on.

// standIn makes the steps that come next, if it may. True: now it is t's own turn; false:
// t has to suspend. It is small enough to be inlined, and stands where t suspends:
// "t.standIn() || t.co.yield(struct{}{})" is true as soon as t may go on, and false when
// the loop was closed.
func (t *task) standIn() bool { return t.loop.deputy == nil && t.stepOthers() }

func (t *task) stepOthers() bool {
	l, d := t.loop, t.co
	if d.nested {
		return false // its creator goes on first
	}
	l.deputy = d
	next := l.takeStep()
	for next != nil && next != t {
		c := next.co // which may have ended this task, and begun another one, when it suspends
		if c.host == d {
			l.deputy = nil
			t.entertain(next)
			if l.deputy != nil { // the guest has suspended, and another one has resumed it
				return false
			}
			l.deputy = d
		} else {
			c.resume()
			for l.inspected == d {
				d.frames, l.inspected = callerTraceback(), nil
				c.resume()
			}
		}
		next = l.takeStep()
	}
	l.deputy = nil
	return next == t
}

// takeStep takes the next task out of the queue and makes it the one that runs; nil: the
// loop has to go on.
func (l *Loop) takeStep() *task {
	if l.debug || l.unwinding != nil || l.batch == 0 && !l.mayBeginTurn() {
		return nil
	}
	t, ok := l.ready.peek().(*task)
	if !ok || t.co == nil && !l.deputy.takeIn(t) && !l.coroutines.giveFree(t) {
		return nil
	}
	if l.batch == 0 {
		l.countTurn()
	}
	l.startStep(t)
	return t
}

// mayBeginTurn reports whether the next turn begins with what is ready, and nothing else.
func (l *Loop) mayBeginTurn() bool {
	return l.inTurn && !l.stopping && !l.mustPoll() && !l.inbox.filled.Load()
}

// giveFree gives t a free coroutine, unless there is none or t was cancelled before its
// first step. A new one would be made on the deputy's small stack, which is why the loop
// does that.
func (p *coroutinePool) giveFree(t *task) bool {
	if p.free == nil || t.interrupted != nil {
		return false
	}
	t.co = p.get(t)
	return true
}

// unwindLoop is called on c at the end of a Goexit or panic. It returns when no deputy is
// left below, which would end with it. Where c's task is eager and in its first step, the
// creator is to end with it, and comes here itself.
func (l *Loop) unwindLoop(c *coroutine) {
	if l.deputy != nil && !c.nested {
		l.unwinding = c
		c.yield(struct{}{})
	}
}

// goOnUnwinding lets the Goexit or panic of a coroutine reach the loop, which calls this
// after each step.
func (l *Loop) goOnUnwinding() {
	if c := l.unwinding; c != nil {
		l.unwinding = nil
		c.resume()
	}
}

// stackBelow lets c, which waits for what it has resumed, look at its own frames: down
// from the inspector, which is the task that runs, by way of the creators that wait for
// it, if it is eager, to c, and the same way up again.
func (l *Loop) stackBelow(c *coroutine) *traceback {
	l.inspected = c
	l.current.co.yield(struct{}{})
	frames := c.frames
	c.frames = nil
	return frames
}

// passDown goes on with a stackBelow: the creator calls it when its eager task, on c, has
// suspended to it.
func (l *Loop) passDown(creator *task, c *coroutine) {
	for l.inspected != nil {
		if creator.co == l.inspected {
			creator.co.frames, l.inspected = callerTraceback(), nil
		} else {
			creator.co.yield(struct{}{})
		}
		c.resume()
	}
}
