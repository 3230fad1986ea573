// Graceful_shutdown shows how a program ends when it is told to: loop.add_signal_handler,
// asyncio.wait, Task.cancel.
//
// First there is no new work, then some time for the work that is under way, then
// cancellation for what takes longer, and a report.
//
// A handler of a signal is a callback of the loop. This one completes the future that the
// main task waits for, and removes itself, so that the second signal does what signals do
// without a handler. The other tasks go on as long as the main task lets them.
//
// Without flags it sends itself SIGTERM. With -wait it leaves that to you; a second
// signal ends it at once:
//
//	go run ./examples/graceful_shutdown -wait -grace 10s
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio"
)

// moment is what is left to do for jobs that soon end.
const moment = 20 * time.Millisecond

func main() {
	wait := flag.Bool("wait", false, "wait for a signal")
	grace := flag.Duration("grace", time.Second, "how long work may go on after the signal")
	flag.Parse()
	ready := signalSelf
	if *wait {
		ready = func() error {
			_, err := fmt.Println("waiting for a signal to process", os.Getpid())
			return err
		}
	}
	if err := work(*grace, ready); err != nil {
		fmt.Fprintln(os.Stderr, "graceful_shutdown:", err)
		os.Exit(1)
	}
}

// signalSelf sends this process the signal that it waits for.
func signalSelf() error {
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return err
	}
	return self.Signal(syscall.SIGTERM)
}

// work works until a signal comes, and then for as long as grace allows. It calls ready
// when only the signal is missing.
func work(grace time.Duration, ready func() error) error {
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		signalled, err := nextSignal(ctx, os.Interrupt, syscall.SIGTERM)
		if err != nil {
			return err
		}
		told := asyncio.NewEvent()
		jobs := startJobs(ctx, told)
		if err := ready(); err != nil {
			return err // Run cancels the jobs
		}
		sig, err := signalled.Await(ctx) // a server would start more jobs here
		if err != nil {
			return err
		}
		fmt.Printf("told to end: %v signal received\n", sig)
		told.Set()
		if err := finish(ctx, jobs, grace); err != nil {
			return fmt.Errorf("shut down: %w", err)
		}
		return nil
	}), asyncio.WithInterrupt(false)) // SIGINT is no different from SIGTERM here
	return err
}

// nextSignal is the first of the signals that comes. The next one does not ask.
func nextSignal(ctx context.Context, signals ...os.Signal) (*asyncio.Future[os.Signal], error) {
	l, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return nil, err
	}
	first := asyncio.NewFuture[os.Signal](l)
	for _, sig := range signals {
		err := l.AddSignalHandler(sig, func() {
			_ = first.SetResult(sig) // it fails if both came at once
			for _, sig := range signals {
				l.RemoveSignalHandler(sig)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return first, nil
}

// startJobs starts jobs that are all under way when the signal comes.
func startJobs(ctx context.Context, told *asyncio.Event) []asyncio.AnyTask {
	short := func(ctx context.Context) error {
		if err := told.Wait(ctx); err != nil {
			return err
		}
		return asyncio.Sleep(ctx, moment)
	}
	flawed := func(ctx context.Context) error {
		if err := short(ctx); err != nil {
			return err
		}
		return errors.New("the disk is full")
	}
	long := func(ctx context.Context) error {
		err := asyncio.Sleep(ctx, 24*time.Hour)
		if errors.Is(err, asyncio.ErrCancelled) { // clean-up may await as well
			if saveErr := asyncio.Sleep(ctx, moment); saveErr != nil {
				return fmt.Errorf("save: %w", saveErr)
			}
			fmt.Println("the long job has saved what it had")
		}
		return err // who keeps a cancellation back has not been cancelled
	}
	return []asyncio.AnyTask{
		asyncio.CreateTask(ctx, asyncio.Do(short), asyncio.WithName("short")),
		asyncio.CreateTask(ctx, asyncio.Do(flawed), asyncio.WithName("flawed")),
		asyncio.CreateTask(ctx, asyncio.Do(long), asyncio.WithName("long")),
	}
}

// finish gives jobs some time, cancels those that need more, waits for their clean-up,
// and reports.
func finish(ctx context.Context, jobs []asyncio.AnyTask, grace time.Duration) error {
	var all []asyncio.AnyFuture
	for _, job := range jobs {
		all = append(all, job)
	}
	_, late, err := asyncio.Wait(ctx, all, asyncio.WaitTimeout(grace))
	if err != nil {
		return err
	}
	for _, job := range late {
		job.Cancel("the time is over")
	}
	if len(late) > 0 { // Wait for nothing is an error, as in asyncio
		if _, _, err := asyncio.Wait(ctx, late); err != nil {
			return err
		}
	}
	for _, job := range jobs {
		switch err := job.Exception(); {
		case job.Cancelled():
			fmt.Printf("%s: cancelled: %v\n", job.Name(), err)
		case err != nil:
			fmt.Printf("%s: failed: %v\n", job.Name(), err)
		default:
			fmt.Printf("%s: finished\n", job.Name())
		}
	}
	return nil
}
