package asyncio

// AsCompleted: results as they come.

import (
	"context"
	"iter"
)

// AsCompleted starts every Coro as a task and yields index and result of each awaitable,
// in the order in which they are done: asyncio.as_completed. One future or task given
// twice counts once, with its first index. Ranging over the sequence again goes on where
// the last range has stopped. It is ranged over in the task of ctx: if its wait is
// interrupted, by a cancellation or a Timeout around it, the range yields the index -1
// with that error and ends; the awaitables run on. A future of another loop panics with
// ErrWrongLoop.
// The range suspends. Cancelled: no result is lost.
func AsCompleted[T any](ctx context.Context, aws ...Awaitable[T]) iter.Seq2[int, Result[T]] {
	l := loopOf(ctx)
	if l == nil {
		panic(misuse(ErrNoRunningLoop, "AsCompleted needs the context of a task, or Loop.Context()"))
	}
	for i, aw := range aws {
		checkAwaitable(l, i, aw)
	}
	c := &completions[T]{links: make([]completionLink[T], 0, len(aws)), done: make([]*completionLink[T], 0, len(aws))}
	seen := make(map[*future]struct{}, len(aws))
	for i, aw := range aws {
		p := ensureFuture(l, ctx, aw)
		if _, again := seen[p.base()]; !again {
			seen[p.base()] = struct{}{}
			c.links = append(c.links, completionLink[T]{c, p, i})
		}
	}
	for i := range c.links {
		c.links[i].promise.base().addDone(&c.links[i])
	}
	return func(yield func(int, Result[T]) bool) { c.each(ctx, yield) }
}

// completions is one call of AsCompleted.
type completions[T any] struct {
	links  []completionLink[T]
	done   []*completionLink[T] // in order
	taken  int                  // of done
	change waitPoint
}

// completionLink watches one awaitable.
type completionLink[T any] struct {
	c       *completions[T]
	promise promise[T]
	index   int
}

// futureDone implements waiter.
func (link *completionLink[T]) futureDone(f *future) { f.loop.ready.push(link) }

func (link *completionLink[T]) run(*Loop) {
	link.c.done = append(link.c.done, link)
	link.c.change.wake(nil)
}

// each is the range over what was not taken before.
func (c *completions[T]) each(ctx context.Context, yield func(int, Result[T]) bool) {
	for c.taken < len(c.links) {
		if c.taken == len(c.done) {
			if err := c.wait(ctx); err != nil {
				yield(-1, Result[T]{Err: err})
				return
			}
		}
		link := c.done[c.taken]
		c.taken++
		v, err := link.promise.Result()
		if !yield(link.index, Result[T]{v, err}) {
			return
		}
	}
}

func (c *completions[T]) wait(ctx context.Context) error {
	a, err := enterTask(ctx, "a range over AsCompleted")
	if err != nil {
		return err
	}
	return c.change.wait(a)
}
