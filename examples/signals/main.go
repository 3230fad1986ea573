//go:build unix

// Signals shows a service that signals tell what to do: loop.add_signal_handler.
//
// SIGHUP has it read its configuration anew, SIGUSR1 print what it has done, and SIGTERM
// or Ctrl-C end once the work that it has taken is done. A handler is a callback of the
// loop: it shares data with the tasks without locks, and does not suspend; for what takes
// longer it starts a task.
//
// Without flags it sends itself the signals. With -wait it leaves that to you:
//
//	go run ./examples/signals -wait
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio"
)

func main() {
	wait := flag.Bool("wait", false, "wait for signals")
	flag.Parse()
	if err := run(*wait); err != nil {
		fmt.Fprintln(os.Stderr, "signals:", err)
		os.Exit(1)
	}
}

// service greets whoever is in its queue.
type service struct {
	config   string // the name of a file with the greeting
	greeting string
	names    *asyncio.Queue[string]
	greeted  int
	reloaded *asyncio.Event
	printed  *asyncio.Event
}

func run(wait bool) error {
	dir, err := os.MkdirTemp("", "signals")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := &service{
		config:   filepath.Join(dir, "greeting"),
		names:    asyncio.NewQueue[string](0),
		reloaded: asyncio.NewEvent(),
		printed:  asyncio.NewEvent(),
	}
	_, err = asyncio.Run(asyncio.Do(func(ctx context.Context) error { return s.main(ctx, wait) }))
	return err
}

// main serves until a signal ends the queue.
func (s *service) main(ctx context.Context, wait bool) error {
	if err := asyncio.WriteFile(ctx, s.config, []byte("hello\n"), 0o600); err != nil {
		return err
	}
	if err := s.reload(ctx); err != nil {
		return err
	}
	if err := s.handleSignals(ctx); err != nil {
		return err
	}
	play := s.script
	if wait {
		play = s.knock
	}
	visitors := asyncio.CreateTask(ctx, asyncio.Do(play))
	for {
		name, err := s.names.Get(ctx)
		if errors.Is(err, asyncio.ErrQueueShutDown) { // and empty
			fmt.Println("ended after", s.greeted, "greetings")
			_, err = visitors.Await(ctx)
			return err
		}
		if err != nil {
			return err
		}
		s.greeted++
		fmt.Println(s.greeting, name)
		s.names.TaskDone()
	}
}

// handleSignals says what signals do.
func (s *service) handleSignals(ctx context.Context) error {
	l, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return err
	}
	end := func() {
		fmt.Println("told to end,", s.names.Len(), "to be greeted")
		s.names.Shutdown(false)
	}
	for sig, handler := range map[syscall.Signal]func(){
		syscall.SIGHUP: func() { asyncio.CreateTask(ctx, asyncio.Do(s.reload)) },
		syscall.SIGUSR1: func() {
			fmt.Println("statistics:", s.greeted, "greeted")
			s.printed.Set()
		},
		syscall.SIGTERM: end,
		syscall.SIGINT:  end, // in the place of what Run does with Ctrl-C
	} {
		if err := l.AddSignalHandler(sig, handler); err != nil {
			return err
		}
	}
	return nil
}

// reload reads the configuration.
func (s *service) reload(ctx context.Context) error {
	text, err := asyncio.ReadFile(ctx, s.config)
	if err != nil {
		return err
	}
	s.greeting = string(bytes.TrimSpace(text))
	fmt.Println("the greeting is", s.greeting)
	s.reloaded.Set()
	return nil
}

// knock brings a visitor every second.
func (s *service) knock(ctx context.Context) error {
	fmt.Println("waiting for SIGHUP, SIGUSR1 and SIGTERM to process", os.Getpid(), "with the greeting in", s.config)
	for i := 1; ; i++ {
		if err := s.names.Put(ctx, fmt.Sprint("visitor ", i)); err != nil {
			return nil // no more
		}
		if err := asyncio.Sleep(ctx, time.Second); err != nil {
			return err
		}
	}
}

// script brings visitors and sends signals.
func (s *service) script(ctx context.Context) error {
	s.reloaded.Clear()
	for _, step := range []func() error{
		func() error { return s.visit(ctx, "Ada") },
		func() error { return raise(ctx, syscall.SIGUSR1, s.printed) },
		func() error { return asyncio.WriteFile(ctx, s.config, []byte("good evening\n"), 0o600) },
		func() error { return raise(ctx, syscall.SIGHUP, s.reloaded) },
		func() error { return s.visit(ctx, "Grace") },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return raise(ctx, syscall.SIGTERM, nil)
}

// visit waits until name was greeted.
func (s *service) visit(ctx context.Context, name string) error {
	if err := s.names.Put(ctx, name); err != nil {
		return err
	}
	return s.names.Join(ctx)
}

// raise sends this process a signal, and waits for what that does.
func raise(ctx context.Context, sig syscall.Signal, done *asyncio.Event) error {
	if err := syscall.Kill(os.Getpid(), sig); err != nil || done == nil {
		return err
	}
	return done.Wait(ctx)
}
