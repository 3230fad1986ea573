package asyncio

// The tasks of a loop. The loop refers to each until it is done, so that none vanishes
// while it is suspended.

import (
	"cmp"
	"context"
	"slices"
)

// tasksKeepLen is how long the list may be while most of it is empty.
const tasksKeepLen = 1 << 16

// taskList is the tasks in no order. Each knows its place, and the last takes that of one
// that goes.
type taskList struct{ tasks []*task }

func (s *taskList) add(t *task) {
	t.place = int32(len(s.tasks))
	s.tasks = append(s.tasks, t)
}

func (s *taskList) remove(t *task) {
	end := len(s.tasks) - 1
	last := s.tasks[end]
	s.tasks[end] = nil
	s.tasks = s.tasks[:end]
	if last != t {
		last.place = t.place
		s.tasks[t.place] = last
	}
	if n := cap(s.tasks); n > tasksKeepLen && end < n/8 { // the memory of a burst
		s.tasks = append(make([]*task, 0, n/4), s.tasks...)
	}
}

// youngest is the highest number of a task.
func (s *taskList) youngest() uint64 {
	var youngest uint64
	for _, t := range s.tasks {
		youngest = max(youngest, t.number)
	}
	return youngest
}

// all is a copy of the list, oldest first.
func (s *taskList) all() []*task {
	tasks := slices.Clone(s.tasks)
	slices.SortFunc(tasks, func(a, b *task) int { return cmp.Compare(a.number, b.number) })
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
				SourceTraceback: t.source().String(),
			})
		}
	})
}

func (t *task) abandon() {
	if t.phase == taskDone { // it was a guest or a host, and has ended with the other
		return
	}
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
		all = make([]AnyTask, 0, len(l.tasks.tasks))
		for _, t := range l.tasks.all() {
			all = append(all, t.self)
		}
	})
	return all
}
