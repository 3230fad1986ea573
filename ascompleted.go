package asyncio

// AsCompleted: results as they come.
//
// Nobody says when a sequence is not ranged over any more, and until then it has to note
// in which order its awaitables are done. So they refer to it weakly: one that lives long
// holds nothing of a sequence that was given up, and when the garbage collector has found
// that out, it forgets the sequence altogether.

import (
	"context"
	"iter"
	"runtime"
	"weak"
)

// AsCompleted starts every Coro as a task and yields index and result of each awaitable,
// in the order in which they are done: asyncio.as_completed. One future or task given
// twice counts once, with its first index. Ranging over the sequence again goes on where
// the last range has stopped. It is ranged over in the task of ctx: if its wait is
// interrupted, by a cancellation or a Timeout around it, the range yields the index -1
// with that error and ends; the awaitables run on. A future of another loop panics with
// ErrWrongLoop. The range suspends. Cancelled: no result is lost.
func AsCompleted[T any](ctx context.Context, aws ...Awaitable[T]) iter.Seq2[int, Result[T]] {
	l := loopOf(ctx)
	if l == nil {
		panic(misuse(ErrNoRunningLoop, "AsCompleted needs the context of a task, or Loop.Context()"))
	}
	for i, aw := range aws {
		checkAwaitable(l, i, aw)
	}
	c := &completions[T]{}
	seen := make(map[*future]struct{}, len(aws))
	var links completionLinks
	for i, aw := range aws {
		p := ensureFuture(l, ctx, aw)
		if _, again := seen[p.base()]; !again {
			seen[p.base()] = struct{}{}
			links = append(links, completionLink{noter: weak.Make(&c.order), of: weak.Make(p.base()), n: len(c.promises)})
			c.promises, c.indices = append(c.promises, p), append(c.indices, i)
		}
	}
	for i := range links {
		c.promises[i].base().addDone(&links[i])
	}
	c.forget = runtime.AddCleanup(c, func(links completionLinks) { l.post(links) }, links)
	return func(yield func(int, Result[T]) bool) { c.each(ctx, yield) }
}

// completions is one call of AsCompleted.
type completions[T any] struct {
	order    completionOrder
	promises []promise[T]
	indices  []int // of the promises among the arguments
	taken    int   // of those that are done
	forget   runtime.Cleanup
}

// completionOrder is the order in which the promises were done.
type completionOrder struct {
	done   []int // numbers of promises
	change waitPoint
}

// completionLink watches one promise. It holds neither the promise nor the sequence.
type completionLink struct {
	noter weak.Pointer[completionOrder]
	of    weak.Pointer[future]
	n     int
	gone  bool // out of the future's list, with others that nobody wants
}

func (link *completionLink) run(*Loop) {
	if order := link.noter.Value(); order != nil {
		order.done = append(order.done, link.n)
		order.change.wake(nil)
	}
}

// completionLinks is the links of a sequence that nobody has any more.
type completionLinks []completionLink

func (links completionLinks) run(*Loop) {
	for i := range links {
		if f := links[i].of.Value(); f != nil && !links[i].gone {
			f.dropUnwanted()
		}
	}
}

// dropUnwanted takes the links of all given-up sequences out of the list at once: there
// may be very many where a future lives long.
func (f *future) dropUnwanted() {
	all := f.waiters()
	f.waits = nil
	for _, w := range all {
		if link, ok := w.(*completionLink); ok && link.noter.Value() == nil {
			link.gone = true
		} else {
			f.addWaiter(w)
		}
	}
}

// each is the range over what was not taken before.
func (c *completions[T]) each(ctx context.Context, yield func(int, Result[T]) bool) {
	for c.taken < len(c.promises) {
		if c.taken == len(c.order.done) {
			if err := c.wait(ctx); err != nil {
				yield(-1, Result[T]{Err: err})
				return
			}
		}
		n := c.order.done[c.taken]
		c.taken++
		v, err := c.promises[n].Result()
		if c.taken == len(c.promises) {
			c.forget.Stop() // nothing is left to forget
		}
		if !yield(c.indices[n], Result[T]{v, err}) {
			return
		}
	}
}

func (c *completions[T]) wait(ctx context.Context) error {
	a, err := enterTask(ctx, "a range over AsCompleted")
	if err != nil {
		return err
	}
	return c.order.change.wait(a)
}
