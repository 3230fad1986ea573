// Producer_consumer shows tasks that make work and tasks that do it: asyncio.Queue, join,
// task_done, shutdown.
//
// The queue has few places. A producer that is too quick waits in Put until a consumer
// has made room: that is all the back-pressure there is to it. Join waits until every
// item that was put has been reported done, which is later than its being taken out.
// Shutdown then tells the consumers that nothing more will come; they need not be
// cancelled.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/seed-a026a017/asyncio"
)

const (
	places        = 2
	itemsEach     = 3 // of a producer
	itemWorkSteps = 4 // of a consumer, for an item
)

func main() {
	if err := serveAll(); err != nil {
		fmt.Fprintln(os.Stderr, "producer_consumer:", err)
		os.Exit(1)
	}
}

// serveAll runs two producers, three consumers, and the queue between them.
func serveAll() error {
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		queue := asyncio.NewQueue[string](places)
		err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, consumers *asyncio.TaskGroup) error {
			for _, name := range []string{"Ann", "Bob", "Dan"} {
				consumers.Go(consume(queue, name))
			}
			err := asyncio.WithTaskGroup(ctx, func(_ context.Context, producers *asyncio.TaskGroup) error {
				producers.Go(produce(queue, "tea"))
				producers.Go(produce(queue, "pie"))
				return nil
			})
			if err != nil {
				return err
			}
			fmt.Println("all is ordered")
			if err := queue.Join(ctx); err != nil {
				return err
			}
			fmt.Println("all is served")
			queue.Shutdown(false) // true would drop what is left in the queue
			return nil
		})
		if err != nil {
			return err
		}
		if err := queue.Put(ctx, "more tea"); !errors.Is(err, asyncio.ErrQueueShutDown) {
			return fmt.Errorf("put after the end: %w", err)
		}
		fmt.Println("nothing more can be ordered: ErrQueueShutDown")
		return nil
	}))
	return err
}

// produce makes a coroutine that orders something several times.
func produce(queue *asyncio.Queue[string], what string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		for i := range itemsEach {
			item := fmt.Sprint(what, " ", i+1)
			if queue.Full() {
				fmt.Println(item, "has to wait: the queue is full")
			}
			if err := queue.Put(ctx, item); err != nil {
				return fmt.Errorf("put %s: %w", item, err)
			}
			fmt.Println(item, "is in the queue")
		}
		return nil
	}
}

// consume makes a coroutine that serves what was ordered, until there will be no more.
func consume(queue *asyncio.Queue[string], name string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		for served := 0; ; served++ {
			item, err := queue.Get(ctx)
			if errors.Is(err, asyncio.ErrQueueShutDown) {
				fmt.Println(name, "goes home, and has served", served)
				return nil
			}
			if err != nil {
				return fmt.Errorf("get: %w", err)
			}
			fmt.Println(name, "takes", item)
			for range itemWorkSteps {
				if err := asyncio.Sleep(ctx, 0); err != nil { // say, a request to the kitchen: the others go on
					return fmt.Errorf("serve %s: %w", item, err)
				}
			}
			fmt.Println(name, "has served", item)
			queue.TaskDone() // for Join
		}
	}
}
