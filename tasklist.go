package asyncio

// The tasks of a loop. The loop refers to each until it is done, so that none vanishes
// while it is suspended.

import "context"

// taskList is a ring of tasks through its own two links; nil is empty.
type taskList struct {
	first, last *task
	count       int
}

func (s *taskList) add(t *task) {
	t.prev = s.last
	if s.last == nil {
		s.first = t
	} else {
		s.last.next = t
	}
	s.last = t
	s.count++
}

func (s *taskList) remove(t *task) {
	if t.prev == nil {
		s.first = t.next
	} else {
		t.prev.next = t.next
	}
	if t.next == nil {
		s.last = t.prev
	} else {
		t.next.prev = t.prev
	}
	t.prev, t.next = nil, nil
	s.count--
}

// all is a copy of the list, oldest first.
func (s *taskList) all() []*task {
	tasks := make([]*task, 0, s.count)
	for t := s.first; t != nil; t = t.next {
		tasks = append(tasks, t)
	}
	return tasks
}

// abandon ends the tasks that are left when the loop closes, and reports them.
func (s *taskList) abandon(l *Loop) {
	forEach(s.all(), func(t *task) {
		defer t.abandon()
		if !t.quiet {
			l.CallExceptionHandler(ErrorContext{
				Message:         "Task was destroyed but it is pending!",
				Task:            t.self,
				Future:          t.self,
				SourceTraceback: t.source.String(),
			})
		}
	})
}

func (t *task) abandon() {
	if t.co == nil {
		t.self.drop()
		t.finish(&CancelledError{Msg: "the loop was closed before the task began"})
		return
	}
	t.loop.current = t
	defer func() { t.loop.current = nil }()
	t.co.stop() // its Await returns ErrLoopClosed
}

// CurrentTask is the task whose context ctx is, or was derived from, if it is the one
// that runs: asyncio.current_task. It is nil outside a task.
func CurrentTask(ctx context.Context) AnyTask {
	if ctx == nil {
		return nil
	}
	own, _ := ctx.Value(ownKey{}).(ownContext)
	if own == nil || !own.ownTask().runsHere() {
		return nil
	}
	return own.ownTask().self
}

// AllTasks is the tasks of l that are not done, oldest first: asyncio.all_tasks. Any
// goroutine: one that is not the loop's waits until the loop is between two callbacks,
// and gets none of a closed loop; while the loop does not run, nobody else may use it.
// The tasks' own methods are still for the loop's goroutine.
func AllTasks(l *Loop) []AnyTask {
	var all []AnyTask
	l.ask(func() {
		all = make([]AnyTask, 0, l.tasks.count)
		for t := l.tasks.first; t != nil; t = t.next {
			all = append(all, t.self)
		}
	})
	return all
}
