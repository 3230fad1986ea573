// Debugging shows how to find out what a program does: asyncio's debug mode,
// loop.set_exception_handler, asyncio.capture_call_graph, all_tasks.
//
// Debug mode is on with WithDebug, and where the environment has ASYNCIO_DEBUG=1. It
// tells which code holds the loop for too long, and, after a second, when all tasks wait
// for what cannot happen; it panics where another goroutine touches the loop, and notes
// where things were made. In every mode an error that nobody has looked at is reported in
// the end, and a call graph shows what a task waits for, and who waits for it. Which task
// takes the time, pprof tells with WithProfileLabels.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed-a026a017/asyncio"
)

const (
	// slow is how long code may hold the loop before debug mode says so. The default is
	// 100 ms.
	slow = 50 * time.Millisecond
	// tooLong is how long code of the demo does.
	tooLong = slow + 20*time.Millisecond
)

func main() {
	if err := debugging(); err != nil {
		fmt.Fprintln(os.Stderr, "debugging:", err)
		os.Exit(1)
	}
}

// debugging makes four mistakes, each on a loop of its own, and lets them be found.
func debugging() error {
	for _, part := range []func(context.Context) error{slowCode, forgottenError, wrongGoroutine, whoAwaitsWhom} {
		if _, err := asyncio.Run(asyncio.Do(part), asyncio.WithDebug(true), asyncio.WithLogger(logger())); err != nil {
			return err
		}
	}
	return nil
}

// logger writes to the terminal, and leaves out what would make the lines long.
func logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch a.Key {
		case slog.TimeKey, "duration", "source_traceback":
			return slog.Attr{}
		case "place":
			return slog.String(a.Key, filepath.Base(a.Value.String()))
		}
		return a
	}}))
}

// slowCode holds the loop, once in a callback and once in a task. What is logged names
// the place.
func slowCode(ctx context.Context) error {
	fmt.Println("slow code")
	loop, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return err
	}
	loop.SetSlowCallbackDuration(slow)
	defer loop.SetSlowCallbackDuration(asyncio.Forever)
	loop.CallSoon(func() { time.Sleep(tooLong) })
	greedy := asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
		time.Sleep(tooLong) // ToThread is the mend
		return asyncio.Sleep(ctx, 0)
	}), asyncio.WithName("greedy"))
	_, err = greedy.Await(ctx)
	return err
}

// forgottenError starts a task and never awaits it. That it has failed is reported when
// the garbage collector finds it, and at the latest when the loop is closed.
func forgottenError(ctx context.Context) error {
	fmt.Println("a forgotten error")
	loop, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return err
	}
	loop.SetExceptionHandler(func(_ *asyncio.Loop, c asyncio.ErrorContext) {
		fmt.Printf("  %s\n  the error: %v\n  made in: %s\n", c.Message, c.Exception, place(c.SourceTraceback))
	})
	asyncio.CreateTask(ctx, asyncio.Do(func(context.Context) error {
		return errors.New("the disk is full")
	}), asyncio.WithName("save"))
	if err := asyncio.Sleep(ctx, 0); err != nil {
		return err
	}
	fmt.Println("  by now it has failed, and nobody asks")
	return nil
}

// place is the file and line of a stack's first call, which is its second line.
func place(stack string) string {
	lines := strings.Split(stack, "\n")
	if len(lines) < 2 {
		return "an unknown place"
	}
	return filepath.Base(strings.TrimSpace(lines[1]))
}

// wrongGoroutine calls a method of the loop from outside. Without debug mode that is a
// data race, which may go well for years; go run -race finds it too.
func wrongGoroutine(ctx context.Context) error {
	fmt.Println("the wrong goroutine")
	loop, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return err
	}
	_, err = asyncio.ToThread(ctx, func(context.Context) (asyncio.None, error) {
		loop.CallSoon(func() { fmt.Println("never printed") })
		return asyncio.None{}, nil
	})
	var misuse *asyncio.PanicError // misuse panics; in a thread or a task that becomes its error
	if !errors.As(err, &misuse) {
		return fmt.Errorf("expected a panic: %w", err)
	}
	fmt.Println(" ", misuse)
	return nil
}

// whoAwaitsWhom has tasks wait for a reply that is never sent. The graph begins at the
// end of the chain: read it upwards to see who is held up, and look at the stacks to see
// where.
func whoAwaitsWhom(ctx context.Context) error {
	fmt.Println("who awaits whom")
	loop, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return err
	}
	reply := asyncio.NewFuture[string](loop)
	load := asyncio.CreateTask(ctx, asyncio.Coro[string](func(ctx context.Context) (string, error) {
		return reply.Await(ctx)
	}), asyncio.WithName("load"))
	show := asyncio.CreateTask(ctx, asyncio.Coro[string](func(ctx context.Context) (string, error) {
		text, err := load.Await(ctx)
		return "shown: " + text, err
	}), asyncio.WithName("show"))
	for range 2 { // one turn for each task, to get where it waits
		if err := asyncio.Sleep(ctx, 0); err != nil {
			return err
		}
	}
	fmt.Print(asyncio.CaptureCallGraph(reply).Format())
	for _, task := range asyncio.AllTasks(loop) {
		if task != asyncio.CurrentTask(ctx) {
			fmt.Printf("  %s is at %s\n", task.Name(), place(task.Stack()))
		}
	}
	if err := reply.SetResult("the reply"); err != nil {
		return err
	}
	text, err := show.Await(ctx)
	fmt.Println("  in the end:", text)
	return err
}
