// Threads shows loops beside other goroutines, two loops at once and a loop behind
// net/http: asyncio.run_coroutine_threadsafe, wrap_future.
//
// A loop belongs to the goroutine that runs it, and so do its tasks, its futures and
// whatever data the tasks share: only one task of a loop runs at a time, so that data
// needs no lock. Other goroutines hand a coroutine to the loop with
// RunCoroutineThreadsafe and get a ConcurrentFuture, whose Result blocks them until the
// coroutine has ended. A task of another loop must not block; it awaits the same future
// with WrapFuture.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-a026a017/asyncio"
)

func main() {
	if err := threads(); err != nil {
		fmt.Fprintln(os.Stderr, "threads:", err)
		os.Exit(1)
	}
}

// threads lets two loops talk to each other, and then a web server to a loop.
func threads() error {
	if err := twoLoops(); err != nil {
		return fmt.Errorf("two loops: %w", err)
	}
	if err := webServer(); err != nil {
		return fmt.Errorf("web server: %w", err)
	}
	return nil
}

// worker is a loop that runs in a goroutine of its own.
type worker struct {
	loop  *asyncio.Loop
	ended chan error
}

func startWorker() (*worker, error) {
	loop, err := asyncio.NewEventLoop()
	if err != nil {
		return nil, fmt.Errorf("make a loop: %w", err)
	}
	w := &worker{loop: loop, ended: make(chan error, 1)}
	go func() { w.ended <- errors.Join(loop.RunForever(), loop.Close()) }()
	return w, nil
}

// stop ends the loop and waits for its goroutine. Stop itself is for the loop's
// goroutine, hence the detour.
func (w *worker) stop() error {
	if _, err := w.loop.CallSoonThreadsafe(w.loop.Stop); err != nil {
		return fmt.Errorf("stop the loop: %w", err)
	}
	if err := <-w.ended; err != nil {
		return fmt.Errorf("the loop's goroutine: %w", err)
	}
	return nil
}

// twoLoops has a task of one loop ask the other one, three times.
func twoLoops() (err error) {
	east, err := startWorker()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, east.stop()) }()
	west, err := startWorker()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, west.stop()) }()

	square := func(n int) asyncio.Coro[int] {
		return func(ctx context.Context) (int, error) {
			fmt.Println("west: square", n)
			return n * n, asyncio.Sleep(ctx, time.Millisecond)
		}
	}
	sum, err := asyncio.RunCoroutineThreadsafe(east.loop, func(ctx context.Context) (int, error) {
		sum := 0
		for n := 1; n <= 3; n++ {
			answer := asyncio.RunCoroutineThreadsafe(west.loop, square(n))
			v, err := asyncio.WrapFuture(ctx, answer).Await(ctx)
			if err != nil {
				return 0, fmt.Errorf("ask the west for the square of %d: %w", n, err)
			}
			fmt.Println("east: got", v)
			sum += v
		}
		return sum, nil
	}).Result(context.Background())
	if err != nil {
		return err
	}
	fmt.Println("main: the sum is", sum)
	return nil
}

// pages counts visits. Only coroutines of one loop touch it.
type pages struct{ visits map[string]int }

// visit makes the coroutine that serves one request.
func (p *pages) visit(name string) asyncio.Coro[string] {
	return func(ctx context.Context) (string, error) {
		if err := asyncio.Sleep(ctx, 10*time.Millisecond); err != nil { // say, a database: the other requests go on
			return "", fmt.Errorf("look %s up: %w", name, err)
		}
		p.visits[name]++ // no await between reading and writing, so no other task comes between
		return fmt.Sprintf("%s: visit %d", name, p.visits[name]), nil
	}
}

// handler makes w's loop the place where requests are handled, one coroutine each.
func handler(w *worker, p *pages) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		f := asyncio.RunCoroutineThreadsafe(w.loop, p.visit(r.URL.Path))
		defer f.Cancel() // for the client that went away: nobody wants the answer, so the coroutine ends early
		text, err := f.Result(r.Context())
		if err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
		if _, err := io.WriteString(rw, text); err != nil {
			fmt.Println("the client did not take its answer:", err)
		}
	})
}

// webServer serves HTTP on goroutines, as net/http does, and asks itself nine times at
// once.
func webServer() (err error) {
	w, err := startWorker()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.stop()) }()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: handler(w, &pages{visits: make(map[string]int)}), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() {
		err = errors.Join(err, server.Shutdown(context.Background()))
		if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
			err = errors.Join(err, fmt.Errorf("serve: %w", serveErr))
		}
	}()

	answers, err := getAll("http://"+listener.Addr().String(), []string{"/home", "/news", "/shop"}, 3)
	if err != nil {
		return err
	}
	slices.Sort(answers)
	fmt.Println("web: " + strings.Join(answers, "\nweb: "))
	return nil
}

// getAll gets each page n times, all at once, with one goroutine for each request.
func getAll(base string, paths []string, n int) (answers []string, err error) {
	var mu sync.Mutex // goroutines share answers and err: here a lock is needed
	var wg sync.WaitGroup
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for _, path := range paths {
		for range n {
			wg.Go(func() {
				text, getErr := get(client, base+path)
				mu.Lock()
				defer mu.Unlock()
				answers, err = append(answers, text), errors.Join(err, getErr)
			})
		}
	}
	wg.Wait()
	return answers, err
}

func get(client *http.Client, url string) (text string, err error) {
	resp, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", fmt.Errorf("read the answer of %s: %w", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("get %s: %s: %s", url, resp.Status, body)
	}
	return string(body), nil
}
