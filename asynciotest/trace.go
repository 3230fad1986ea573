package asynciotest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Trace is the order in which things happened. The zero value is empty and ready to use,
// in any goroutine.
type Trace struct {
	mu     sync.Mutex
	events []string
}

// Add adds an event.
func (tr *Trace) Add(event string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.events = append(tr.events, event)
}

// Addf adds an event that is spelled as fmt.Sprintf does.
func (tr *Trace) Addf(format string, args ...any) { tr.Add(fmt.Sprintf(format, args...)) }

// Mark returns a callback that adds event.
func (tr *Trace) Mark(event string) func() { return func() { tr.Add(event) } }

// Events is what has happened so far; nil if that is nothing.
func (tr *Trace) Events() []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return slices.Clone(tr.events)
}

// Reset forgets what has happened.
func (tr *Trace) Reset() {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.events = nil
}

// Count is how often event happened.
func (tr *Trace) Count(event string) int {
	n := 0
	for _, e := range tr.Events() {
		if e == event {
			n++
		}
	}
	return n
}

// Equal fails the test unless exactly these events happened, in this order.
func (tr *Trace) Equal(t testing.TB, want ...string) {
	t.Helper()
	got := tr.Events()
	if slices.Equal(got, want) {
		return
	}
	same := 0
	for same < len(got) && same < len(want) && got[same] == want[same] {
		same++
	}
	t.Fatalf("asynciotest: the trace differs from event %d on\nwant: %s\n got: %s",
		same+1, strings.Join(want, ", "), strings.Join(got, ", "))
}
