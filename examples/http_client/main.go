// Http_client shows an http.Client that awaits: fifty pages at once, by Gather.
//
// The client is net/http's own, with its redirects, cookies and limits; only its
// transport is another. A request is made with the context of the task that calls, which
// is what the transport awaits in. What is cancelled, by a Timeout for example, closes
// its connection.
//
//	go run ./examples/http_client                           pages of a server of its own
//	go run ./examples/http_client https://go.dev/ https://pkg.go.dev/
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynchttp"
)

const (
	pages   = 50
	pageMax = 1 << 20          // bytes that are read of a page
	timeout = 10 * time.Second // for each page
	atOnce  = 20               // pages under way: more wait for their turn
	delay   = 20 * time.Millisecond
)

func main() {
	program := demonstrate
	if urls := os.Args[1:]; len(urls) > 0 {
		program = func(ctx context.Context) error { return report(ctx, urls) }
	}
	if _, err := asyncio.Run(asyncio.Do(program)); err != nil {
		fmt.Fprintln(os.Stderr, "http_client:", err)
		os.Exit(1)
	}
}

// page is what became of a URL.
type page struct {
	status string
	bytes  int
}

// fetcher fetches pages, a few at a time.
type fetcher struct {
	client *http.Client
	turns  *asyncio.Semaphore
}

func newFetcher() *fetcher {
	return &fetcher{
		client: &http.Client{Transport: &asynchttp.Transport{MaxIdleConnsPerHost: atOnce}},
		turns:  asyncio.NewSemaphore(atOnce),
	}
}

// fetch fetches one page, within the time for it.
func (f *fetcher) fetch(ctx context.Context, url string) (page, error) {
	var p page
	err := f.turns.With(ctx, func() error {
		return asyncio.Timeout(ctx, timeout, func(ctx context.Context) error {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
			if err != nil {
				return err
			}
			answer, err := f.client.Do(r)
			if err != nil {
				return err
			}
			defer answer.Body.Close()
			body, err := io.ReadAll(io.LimitReader(answer.Body, pageMax))
			p = page{answer.Status, len(body)}
			return err
		})
	})
	return p, err
}

// all fetches every URL at once. One that fails is an error in its place.
func (f *fetcher) all(ctx context.Context, urls []string) ([]asyncio.Result[page], error) {
	fetches := make([]asyncio.Awaitable[page], len(urls))
	for i, url := range urls {
		fetches[i] = asyncio.Coro[page](func(ctx context.Context) (page, error) { return f.fetch(ctx, url) })
	}
	return asyncio.GatherResults(ctx, fetches...).Await(ctx)
}

// report fetches pages and says what became of each.
func report(ctx context.Context, urls []string) error {
	f := newFetcher()
	defer f.client.CloseIdleConnections()
	results, err := f.all(ctx, urls)
	if err != nil {
		return err
	}
	for i, r := range results {
		if r.Err != nil {
			fmt.Printf("%s: %v\n", urls[i], r.Err)
		} else {
			fmt.Printf("%s: %s, %d bytes\n", urls[i], r.Value.status, r.Value.bytes)
		}
	}
	return nil
}

// demonstrate fetches from a server of net/http, which takes its time for each page.
func demonstrate(ctx context.Context) error {
	base, end, err := slowServer()
	if err != nil {
		return err
	}
	defer end()
	urls := make([]string, pages)
	for i := range urls {
		urls[i] = fmt.Sprintf("%s/%d", base, i)
	}
	f := newFetcher()
	defer f.client.CloseIdleConnections()
	start := time.Now()
	results, err := f.all(ctx, urls)
	if err != nil {
		return err
	}
	found, missing, bytes := 0, 0, 0
	for _, r := range results {
		switch {
		case r.Err != nil:
			return r.Err
		case r.Value.status == "200 OK":
			found++
			bytes += r.Value.bytes
		default:
			missing++
		}
	}
	fmt.Printf("%d pages: %d found with %d bytes, %d missing\n", pages, found, bytes, missing)
	if one := time.Since(start); one < pages*delay {
		fmt.Println("sooner than one after the other")
	}
	return nil
}

// slowServer answers every tenth page with 404.
func slowServer() (base string, end func(), err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(delay)
		if r.URL.Path[len(r.URL.Path)-1] == '7' {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, "page %3s", r.URL.Path[1:])
	})}
	go func() {
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintln(os.Stderr, "http_client:", err)
		}
	}()
	return "http://" + ln.Addr().String(), func() { _ = server.Close() }, nil
}
