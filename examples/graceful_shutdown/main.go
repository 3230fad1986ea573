// Graceful_shutdown shows how a program ends when it is told to: SIGTERM and Ctrl-C, a
// deadline for the work that is under way, and a report of what became of it. The program
// is in examples/internal/gracefulshutdown.
//
// Without flags it sends itself SIGTERM. With -wait it leaves that to you; a second
// signal ends it at once:
//
//	go run ./examples/graceful_shutdown -wait -grace 10s
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio/examples/internal/gracefulshutdown"
)

func main() {
	wait := flag.Bool("wait", false, "wait for a signal")
	grace := flag.Duration("grace", time.Second, "how long work may go on after the signal")
	flag.Parse()
	if err := run(*wait, *grace); err != nil {
		fmt.Fprintln(os.Stderr, "graceful_shutdown:", err)
		os.Exit(1)
	}
}

func run(wait bool, grace time.Duration) error {
	if !wait {
		return gracefulshutdown.Demo(grace)
	}
	stop, restore := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer restore()
	context.AfterFunc(stop, restore) // a second signal does not ask
	return gracefulshutdown.Work(stop, grace, func() error {
		_, err := fmt.Println("waiting for a signal to process", os.Getpid())
		return err
	})
}
