package asyncio

import "github.com/seed-a026a017/asyncio/internal/goid"

// Eager tasks: the first step runs inside the call that makes the task. A task that never
// suspends is done when that call returns, and has cost no turn of the loop; one that
// suspends goes on like any other. What it does before its first suspension happens
// before its creator goes on.
//
// A body must be able to suspend at any point, so it cannot run on its creator's stack.
// It gets a coroutine of the pool, which the creator resumes instead of the loop: 0.1 us
// for the two switches. Coroutines nest this way as deep as eager tasks make eager tasks;
// from the first suspension on they are resumed like any other.

// WithEagerTasks makes all tasks of the loop eager, unless EagerStart says otherwise:
// asyncio.eager_task_factory.
func WithEagerTasks() Option { return func(c *config) { c.eager = true } }

// EagerStart says whether the task's first step runs inside the call that makes it:
// create_task(eager_start=). It does so only while the loop runs, and only on the loop's
// goroutine, which is that of its callbacks and tasks; else the first step is in the next
// turn. The default is false, and true with WithEagerTasks.
func EagerStart(eager bool) TaskOption { return func(c *taskConfig) { c.eager = eager } }

// mayStartNow reports whether the caller may run the first step of a task.
func (l *Loop) mayStartNow() bool {
	return l.IsRunning() && loopHere() == l && l.coroutines.mayNest()
}

// mayNest reports whether a coroutine that is resumed here can be resumed by the loop
// later. While there is none, nobody knows which lock to a thread the loop's goroutine
// has when no callback has changed it, so only none will do.
func (p *coroutinePool) mayNest() bool {
	if p.live == 0 {
		return goid.ThreadLock() == 0
	}
	return goid.ThreadLock() == p.lock
}

// startNow runs the first step of t. The caller's task does not run meanwhile.
func (t *task) startNow(l *Loop) {
	c, outer := l.coroutines.get(t), l.current
	t.co, c.nested = c, true
	t.takeControl()
	defer func() { // a Goexit in the body goes on in the caller
		l.current, c.nested = outer, false
	}()
	c.resume()
	l.passDown(outer, c)
}
