package asyncio

import "slices"

// waitList is a place where any number of tasks wait for one event. Its zero value is empty.
type waitList struct{ tasks []*task }

// wait suspends a's task until wakeAll.
func (w *waitList) wait(a awaiter) error {
	w.tasks = append(w.tasks, a.task)
	return a.park(w)
}

// wakeAll ends every wait, in the order in which they began; each returns err.
func (w *waitList) wakeAll(err error) {
	tasks := w.tasks
	w.tasks = nil
	for _, t := range tasks {
		t.wake(err)
	}
}

func (w *waitList) abort(t *task) bool {
	i := slices.Index(w.tasks, t)
	if i < 0 {
		return false
	}
	w.tasks = slices.Delete(w.tasks, i, i+1)
	return true
}
