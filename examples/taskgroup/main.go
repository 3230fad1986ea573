// Taskgroup shows tasks that start others and end together: asyncio.TaskGroup,
// ExceptionGroup, Semaphore.
//
// A crawler starts one task for each page, which starts one for each link that nobody has
// followed yet. Nobody counts them: WithTaskGroup returns when the last one has ended. A
// semaphore bounds how many pages are fetched at once.
//
// If one of the tasks fails, the others are cancelled and awaited, and what has failed
// comes out as one *ExceptionGroup, into which errors.Is and errors.As look. So nothing
// of a group is ever left behind, and no error is lost. In Python:
//
//	async with asyncio.TaskGroup() as group:
//	    group.create_task(visit("/"))
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/seed-a026a017/asyncio"
)

// fetchesMax is how many pages are fetched at once.
const fetchesMax = 3

func main() {
	if err := crawlAll(); err != nil {
		fmt.Fprintln(os.Stderr, "taskgroup:", err)
		os.Exit(1)
	}
}

// crawlAll crawls a site from three of its pages: one from which all goes well, and two
// that lead to failures.
func crawlAll() error {
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

// From here on: the site that is crawled, a server of the same loop, and how a page of it
// is fetched. Package net/http writes and reads questions and answers; what lies between
// is awaited.

// site has the links of each page.
var site = map[string]string{
	"/":      "/about /news /shop /jobs",
	"/about": "/ /team",
	"/team":  "/about /jobs",
	"/news":  "/ /news/1 /news/2",
	"/shop":  "/",
	"/jobs":  "/about",

	"/news/1": "/news",
	"/news/2": "/news /news/1",

	"/shaky": "/slow/1 /slow/2 /broken",
	"/attic": "ftp://attic/ gopher://cellar/",
}

func startSite(ctx context.Context) (*asyncio.Server, error) {
	server, err := asyncio.StartServer(ctx, answer, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return server, nil
}

func stopSite(ctx context.Context, server *asyncio.Server) error {
	server.Close()
	server.CloseClients()
	return server.WaitClosed(ctx)
}

// answer reads one question from a connection and answers it.
func answer(ctx context.Context, in *asyncio.StreamReader, out *asyncio.StreamWriter) (err error) {
	defer func() { err = errors.Join(err, out.Close()) }()
	head, err := in.ReadUntil(ctx, []byte("\r\n\r\n"))
	if errors.Is(err, asyncio.ErrCancelled) {
		return err
	}
	if err != nil {
		return nil // whoever wanted to ask was cancelled
	}
	request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		return err
	}
	page := request.URL.Path
	links, known := site[page]
	status := http.StatusOK
	switch {
	case strings.HasPrefix(page, "/slow/"):
		return asyncio.Sleep(ctx, asyncio.Forever)
	case page == "/broken":
		status = http.StatusInternalServerError
	case !known:
		status = http.StatusNotFound
	}
	response := &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Close: true,
		ContentLength: int64(len(links)), Body: io.NopCloser(strings.NewReader(links)),
	}
	return response.Write(out)
}

// statusError is an answer that is no page.
type statusError struct{ code int }

func (e *statusError) Error() string { return fmt.Sprintf("%d %s", e.code, http.StatusText(e.code)) }

// fetch gets a page. A StreamWriter is an io.Writer, so the question is written straight
// into it.
func fetch(ctx context.Context, address, page string) (text string, err error) {
	in, out, err := asyncio.OpenConnection(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	request, err := http.NewRequest(http.MethodGet, "http://"+address+page, nil)
	if err != nil {
		return "", err
	}
	request.Close = true // the answer ends with the connection
	if err := request.Write(out); err != nil {
		return "", err
	}
	answer, err := in.ReadAll(ctx)
	if err != nil {
		return "", err
	}
	response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), request)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	if response.StatusCode != http.StatusOK {
		return "", &statusError{response.StatusCode}
	}
	body, err := io.ReadAll(response.Body)
	return string(body), err
}
