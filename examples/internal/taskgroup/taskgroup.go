// Package taskgroup shows TaskGroup: tasks that start others, and end together.
//
// The crawler starts one task for each page, which starts one for each link that nobody
// has followed yet. Nobody counts them: WithTaskGroup returns when the last one has
// ended. A semaphore bounds how many pages are fetched at once.
//
// If one of the tasks fails, the others are cancelled and awaited, and what has failed
// comes out as one *ExceptionGroup, into which errors.Is and errors.As look. So nothing
// of a group is ever left behind, and no error is lost. In Python:
//
//	async with asyncio.TaskGroup() as group:
//	    group.create_task(visit("/"))
package taskgroup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed-a026a017/asyncio"
)

// fetchesMax is how many pages are fetched at once.
const fetchesMax = 3

// Demo crawls a site from three of its pages: one from which all goes well, and two that
// lead to failures.
func Demo() error {
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) (err error) {
		server, err := startSite(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stopSite(ctx, server)) }()
		address := server.Addrs()[0].String()
		for _, part := range []func(context.Context, string) error{allWell, onePageFails, severalFail} {
			if err := part(ctx, address); err != nil {
				return err
			}
		}
		return nil
	}))
	return err
}

// crawler follows links. Its tasks share it without a lock, because only one of them runs
// at a time.
type crawler struct {
	address   string
	seen      map[string]bool // pages that have their task
	cancelled []string        // pages that were given up
	fetches   *asyncio.Semaphore
	now, max  int // how many fetches there are at once
}

// crawl visits a page and all that can be reached from it.
func crawl(ctx context.Context, address, page string) (*crawler, error) {
	c := &crawler{address: address, seen: make(map[string]bool), fetches: asyncio.NewSemaphore(fetchesMax)}
	return c, asyncio.WithTaskGroup(ctx, func(_ context.Context, group *asyncio.TaskGroup) error {
		c.follow(group, page)
		return nil // the body has ended; the group ends with its last task
	})
}

// follow starts a task for a page that has none.
func (c *crawler) follow(group *asyncio.TaskGroup, page string) {
	if c.seen[page] {
		return
	}
	c.seen[page] = true
	group.Go(func(ctx context.Context) error {
		links, err := c.visit(ctx, page)
		if errors.Is(err, asyncio.ErrCancelled) {
			c.cancelled = append(c.cancelled, page)
			return err // a cancellation is handed on as it is: it is no failure
		}
		if err != nil {
			return fmt.Errorf("visit %s: %w", page, err)
		}
		for _, link := range links {
			c.follow(group, link)
		}
		return nil
	})
}

var errNotHTTP = errors.New("only http is spoken here")

// visit fetches a page and finds its links, when its turn has come.
func (c *crawler) visit(ctx context.Context, page string) (links []string, err error) {
	if !strings.HasPrefix(page, "/") {
		return nil, errNotHTTP
	}
	err = c.fetches.With(ctx, func() error {
		c.now++
		c.max = max(c.max, c.now)
		defer func() { c.now-- }()
		text, err := fetch(ctx, c.address, page)
		links = strings.Fields(text)
		return err
	})
	return links, err
}

func allWell(ctx context.Context, address string) error {
	fmt.Println("all well")
	c, err := crawl(ctx, address, "/")
	if err != nil {
		return fmt.Errorf("crawl: %w", err)
	}
	fmt.Println("  visited:", strings.Join(slices.Sorted(maps.Keys(c.seen)), " "))
	fmt.Println("  at most at once:", c.max)
	return nil
}

// onePageFails has two tasks wait for pages that never come, until a third one fails.
func onePageFails(ctx context.Context, address string) error {
	fmt.Println("one page fails")
	c, err := crawl(ctx, address, "/shaky")
	var status *statusError
	if !errors.As(err, &status) {
		return fmt.Errorf("expected a page to fail: %w", err)
	}
	slices.Sort(c.cancelled)
	fmt.Println("  cancelled:", strings.Join(c.cancelled, " "))
	fmt.Println("  the status was", status.code)
	fmt.Println("  " + strings.ReplaceAll(err.Error(), "\n", "\n  "))
	return nil
}

// severalFail has two tasks fail before either can be cancelled.
func severalFail(ctx context.Context, address string) error {
	fmt.Println("several fail")
	_, err := crawl(ctx, address, "/attic")
	var group *asyncio.ExceptionGroup
	if !errors.As(err, &group) {
		return fmt.Errorf("expected a group of errors: %w", err)
	}
	// What can be dealt with is taken out; the rest, if there is one, is handed on:
	// except* in Python.
	known, rest := group.Split(func(err error) bool { return errors.Is(err, errNotHTTP) })
	if rest != nil {
		return rest
	}
	for _, err := range known.Errs {
		fmt.Println("  skipped:", err)
	}
	return nil
}
