// Postgres shows a database behind a loop: jackc/pgx, unmodified, with its connections
// dialled on the loop and queried from a hundred tasks.
//
// A driver that does all of its work in the caller fits tasks: where it waits for the
// server, its task is suspended. Its pool does not, since it makes goroutines and waits
// for them. So the connections stand in a Queue: a task takes one, or waits in line, and
// puts it back. One that a query has spoilt is replaced.
//
// It wants a server:
//
//	go run ./examples/postgres -server "host=/run/postgresql user=me dbname=postgres"
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-a026a017/asyncio"
)

const (
	connections = 8
	workers     = 100
)

func main() {
	server := flag.String("server", "", "where the database is, as libpq has it")
	flag.Parse()
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error { return run(ctx, *server) }))
	if err != nil {
		fmt.Fprintln(os.Stderr, "postgres:", err)
		os.Exit(1)
	}
}

// pool is the connections that no task has.
type pool struct {
	config *pgx.ConnConfig
	idle   *asyncio.Queue[*pgx.Conn]
}

// open makes all connections, side by side.
func open(ctx context.Context, server string) (*pool, error) {
	config, err := pgx.ParseConfig(server)
	if err != nil {
		return nil, err
	}
	loop, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return nil, err
	}
	config.DialFunc = loop.DialContext
	p := &pool{config, asyncio.NewQueue[*pgx.Conn](connections)}
	return p, asyncio.WithTaskGroup(ctx, func(_ context.Context, group *asyncio.TaskGroup) error {
		for range connections {
			group.Go(func(ctx context.Context) error {
				c, err := pgx.ConnectConfig(ctx, config)
				if err != nil {
					return err
				}
				return p.idle.PutNowait(c)
			})
		}
		return nil
	})
}

// with lends a connection to fn. Whoever finds none waits, and the others run.
func (p *pool) with(ctx context.Context, fn func(c *pgx.Conn) error) error {
	c, err := p.idle.Get(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = p.idle.PutNowait(c) }()
	if c.IsClosed() {
		fresh, err := pgx.ConnectConfig(ctx, p.config)
		if err != nil {
			return err
		}
		c = fresh
	}
	return fn(c)
}

// close ends all connections, which no task has any more.
func (p *pool) close(ctx context.Context) (err error) {
	for !p.idle.Empty() {
		c, _ := p.idle.GetNowait()
		err = errors.Join(err, c.Close(ctx))
	}
	return err
}

func run(ctx context.Context, server string) (err error) {
	p, err := open(ctx, server)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close(ctx)) }()

	sum := 0 // shared by all tasks, without a lock
	err = asyncio.WithTaskGroup(ctx, func(_ context.Context, group *asyncio.TaskGroup) error {
		for i := range workers {
			group.Go(func(ctx context.Context) error {
				return p.with(ctx, func(c *pgx.Conn) error {
					var square int
					if err := c.QueryRow(ctx, "select $1::int * $1::int", i).Scan(&square); err != nil {
						return err
					}
					sum += square
					return nil
				})
			})
		}
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Printf("%d tasks over %d connections: the squares sum up to %d\n", workers, connections, sum)

	err = asyncio.Timeout(ctx, 50*time.Millisecond, func(ctx context.Context) error {
		return p.with(ctx, func(c *pgx.Conn) error {
			_, err := c.Exec(ctx, "select pg_sleep(60)")
			return err
		})
	})
	fmt.Println("a query that takes too long is given up:", err != nil)

	for range connections {
		err := p.with(ctx, func(c *pgx.Conn) error { return c.Ping(ctx) })
		if err != nil {
			return err
		}
	}
	fmt.Println("all connections work")
	return nil
}
