// Package timerheap orders timers by deadline.
//
// It is a four-ary heap over (deadline, sequence): of two timers with one deadline the
// one that was armed first fires first. Disarming is lazy. A timer remembers the sequence
// number under which it is armed, so an entry whose number is no longer its timer's is
// stale and is dropped when it reaches the top; when more than half of a heap is stale,
// all of it is dropped at once. That keeps arm and disarm cheap for timeouts, nearly all
// of which are disarmed, and lets a timer be armed again while its old entry is still in
// the heap.
package timerheap

// Timer is embedded by whatever wants to be in a Heap. Its zero value is disarmed.
type Timer struct {
	when int64
	seq  uint64 // of the live entry; 0: disarmed
}

// When is the deadline the timer was last armed with.
func (t *Timer) When() int64 { return t.when }

// Armed reports whether the timer waits in a heap.
func (t *Timer) Armed() bool { return t.seq != 0 }

func (t *Timer) timer() *Timer { return t }

// Item is a pointer to a struct that embeds Timer.
type Item interface{ timer() *Timer }

// compactMin is the length from which stale entries are worth a sweep: below it they cost
// less than looking.
const compactMin = 64

const arity = 4

type entry[T Item] struct {
	when int64
	seq  uint64
	item T
}

func (e *entry[T]) before(o *entry[T]) bool {
	return e.when < o.when || e.when == o.when && e.seq < o.seq
}

// Heap holds timers. Its zero value is empty.
type Heap[T Item] struct {
	entries []entry[T]
	lastSeq uint64
	stale   int
}

// Len counts the armed timers.
func (h *Heap[T]) Len() int { return len(h.entries) - h.stale }

// Arm puts item into the heap; if it is there already, it gets the new deadline and goes
// behind its equals.
func (h *Heap[T]) Arm(item T, when int64) {
	t := item.timer()
	if t.seq != 0 {
		h.stale++
	}
	h.lastSeq++
	t.when, t.seq = when, h.lastSeq
	h.entries = append(h.entries, entry[T]{when: when, seq: h.lastSeq, item: item})
	h.up(len(h.entries) - 1)
	h.compact()
}

// Disarm takes item out and reports whether it was armed.
func (h *Heap[T]) Disarm(item T) bool {
	t := item.timer()
	if t.seq == 0 {
		return false
	}
	t.seq = 0
	h.stale++
	h.compact()
	return true
}

// Next is the earliest deadline.
func (h *Heap[T]) Next() (when int64, ok bool) {
	for len(h.entries) > 0 {
		e := &h.entries[0]
		if e.item.timer().seq == e.seq {
			return e.when, true
		}
		h.stale--
		h.dropTop()
	}
	return 0, false
}

// PopDue takes out the earliest timer whose deadline is not after now.
func (h *Heap[T]) PopDue(now int64) (item T, ok bool) {
	when, ok := h.Next()
	if !ok || when > now {
		return item, false
	}
	item = h.entries[0].item
	item.timer().seq = 0
	h.dropTop()
	return item, true
}

// Clear disarms every timer.
func (h *Heap[T]) Clear() {
	for i := range h.entries {
		if t := h.entries[i].item.timer(); t.seq == h.entries[i].seq {
			t.seq = 0
		}
	}
	h.entries, h.stale = nil, 0
}

// All calls yield for every armed timer, in no order, until it answers false.
func (h *Heap[T]) All(yield func(T) bool) {
	for i := range h.entries {
		if e := &h.entries[i]; e.item.timer().seq == e.seq && !yield(e.item) {
			return
		}
	}
}

func (h *Heap[T]) dropTop() {
	last := len(h.entries) - 1
	h.entries[0] = h.entries[last]
	h.entries[last] = entry[T]{}
	h.entries = h.entries[:last]
	if last > 1 {
		h.down(0)
	}
}

func (h *Heap[T]) compact() {
	if len(h.entries) < compactMin || h.stale <= len(h.entries)/2 {
		return
	}
	live := h.entries[:0]
	for _, e := range h.entries {
		if e.item.timer().seq == e.seq {
			live = append(live, e)
		}
	}
	clear(h.entries[len(live):])
	h.entries, h.stale = live, 0
	if cap(live) > 4*compactMin && len(live) < cap(live)/4 {
		h.entries = append(make([]entry[T], 0, 2*len(live)), live...) // a burst of timers is over: give its memory back
	}
	for i := (len(live) + arity - 2) / arity; i > 0; i-- {
		h.down(i - 1)
	}
}

func (h *Heap[T]) up(i int) {
	e := h.entries[i]
	for i > 0 {
		parent := (i - 1) / arity
		if !e.before(&h.entries[parent]) {
			break
		}
		h.entries[i] = h.entries[parent]
		i = parent
	}
	h.entries[i] = e
}

func (h *Heap[T]) down(i int) {
	e := h.entries[i]
	for {
		first := arity*i + 1
		if first >= len(h.entries) {
			break
		}
		least := first
		for c := first + 1; c < min(first+arity, len(h.entries)); c++ {
			if h.entries[c].before(&h.entries[least]) {
				least = c
			}
		}
		if !h.entries[least].before(&e) {
			break
		}
		h.entries[i] = h.entries[least]
		i = least
	}
	h.entries[i] = e
}
