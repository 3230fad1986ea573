package asyncio_test

// A first look at the package: one example for each of its main ideas.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-a026a017/asyncio"
)

// Run makes a loop, runs one coroutine on it, and closes it.
func ExampleRun() {
	v, err := asyncio.Run(func(ctx context.Context) (int, error) {
		if err := asyncio.Sleep(ctx, time.Millisecond); err != nil {
			return 0, err
		}
		return 42, nil
	})
	fmt.Println(v, err)
	// Output: 42 <nil>
}

// Tasks run one at a time and give way where they await, so they share data without
// locks.
func ExampleCreateTask() {
	_, _ = asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		say := func(name string) asyncio.Coro[string] {
			return func(ctx context.Context) (string, error) {
				for i := range 2 {
					fmt.Println(name, i)
					if err := asyncio.Sleep(ctx, 0); err != nil {
						return "", err
					}
				}
				return name + " is done", nil
			}
		}
		a, b := asyncio.CreateTask(ctx, say("a")), asyncio.CreateTask(ctx, say("b"))
		fmt.Println(a.Await(ctx))
		fmt.Println(b.Await(ctx))
		return nil
	}))
	// Output:
	// a 0
	// b 0
	// a 1
	// b 1
	// a is done <nil>
	// b is done <nil>
}

// Gather runs coroutines side by side; the results come in the order of the arguments.
func ExampleGather() {
	square := func(n int) asyncio.Awaitable[int] {
		return asyncio.Coro[int](func(ctx context.Context) (int, error) {
			return n * n, asyncio.Sleep(ctx, time.Duration(10-n)*time.Millisecond)
		})
	}
	fmt.Println(asyncio.Run(func(ctx context.Context) ([]int, error) {
		return asyncio.Gather(ctx, square(1), square(2), square(3)).Await(ctx)
	}))
	// Output: [1 4 9] <nil>
}

// A group waits for all its tasks. The first that fails cancels the others.
func ExampleWithTaskGroup() {
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		return asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
			tg.Go(func(ctx context.Context) error {
				err := asyncio.Sleep(ctx, time.Hour)
				fmt.Println("the other:", err)
				return err
			})
			tg.Go(func(context.Context) error { return errors.New("boom") })
			return nil
		})
	}))
	fmt.Println(err)
	// Output:
	// the other: asyncio: cancelled
	// unhandled errors in a TaskGroup (1 sub-exception)
	//   boom
}

// A timeout cancels what it waits for.
func ExampleTimeout() {
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		return asyncio.Timeout(ctx, time.Millisecond, func(ctx context.Context) error {
			return asyncio.Sleep(ctx, time.Hour)
		})
	}))
	fmt.Println(err, errors.Is(err, context.DeadlineExceeded))
	// Output: asyncio: timed out true
}

// Cancel asks a task to end: its Await fails, and it may clean up.
func ExampleTask_Cancel() {
	_, _ = asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		task := asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
			defer fmt.Println("cleaned up")
			return asyncio.Sleep(ctx, time.Hour)
		}))
		if err := asyncio.Sleep(ctx, 0); err != nil {
			return err
		}
		task.Cancel("enough")
		_, err := task.Await(ctx)
		fmt.Println(err, task.Cancelled())
		return nil
	}))
	// Output:
	// cleaned up
	// asyncio: cancelled: enough true
}

// A future is a result that is not there yet. Callbacks, here a timer's, complete it.
func ExampleFuture() {
	fmt.Println(asyncio.Run(func(ctx context.Context) (string, error) {
		l, err := asyncio.GetRunningLoop(ctx)
		if err != nil {
			return "", err
		}
		f := asyncio.NewFuture[string](l)
		l.CallLater(time.Millisecond, func() { _ = f.SetResult("here it is") })
		return f.Await(ctx)
	}))
	// Output: here it is <nil>
}

// A queue with room for one: the producer waits for the consumer.
func ExampleQueue() {
	_, _ = asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		q := asyncio.NewQueue[int](1)
		return asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
			tg.Go(func(ctx context.Context) error {
				defer q.Shutdown(false)
				for i := range 3 {
					if err := q.Put(ctx, i); err != nil {
						return err
					}
				}
				return nil
			})
			for {
				i, err := q.Get(ctx)
				if errors.Is(err, asyncio.ErrQueueShutDown) {
					return nil
				}
				if err != nil {
					return err
				}
				fmt.Println(i)
			}
		})
	}))
	// Output:
	// 0
	// 1
	// 2
}

// Functions that block go to threads, and the loop goes on meanwhile.
func ExampleToThread() {
	fmt.Println(asyncio.Run(func(ctx context.Context) (string, error) {
		return asyncio.ToThread(ctx, func(context.Context) (string, error) {
			time.Sleep(time.Millisecond)
			return "from a thread", nil
		})
	}))
	// Output: from a thread <nil>
}

// A server whose handler is a task for each connection, and a client.
func ExampleStartServer() {
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		server, err := asyncio.StartServer(ctx,
			func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
				defer w.Close()
				name, err := r.ReadLine(ctx)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(w, "hello, %s", name)
				return err
			}, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer server.Close()

		r, w, err := asyncio.OpenConnection(ctx, "tcp", server.Addrs()[0].String())
		if err != nil {
			return err
		}
		defer w.Close()
		if _, err := w.Write([]byte("world\n")); err != nil {
			return err
		}
		answer, err := r.ReadAll(ctx)
		fmt.Printf("%s", answer)
		return err
	}))
	fmt.Println(err)
	// Output:
	// hello, world
	// <nil>
}

// Listen and DialContext give code that knows only package net its connections: in a task
// each call that waits suspends the task.
func ExampleLoop_Listen() {
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		loop, err := asyncio.GetRunningLoop(ctx)
		if err != nil {
			return err
		}
		ln, err := loop.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		greeter := asyncio.CreateTask(ctx, asyncio.Do(func(context.Context) error {
			conn, err := ln.Accept()
			if err != nil {
				return err
			}
			fmt.Fprintln(conn, "hello")
			return conn.Close()
		}))
		conn, err := loop.DialContext(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer conn.Close()
		line, err := bufio.NewReader(conn).ReadString('\n')
		fmt.Printf("%q %v\n", line, err)
		_, err = greeter.Await(ctx)
		return err
	}))
	fmt.Println(err)
	// Output:
	// "hello\n" <nil>
	// <nil>
}
