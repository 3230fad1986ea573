// Http_server shows HTTP handlers that are tasks of one loop: counters that all of them
// share without a lock, an answer that leaves piece by piece, and an end that waits for
// it.
//
// A handler is an http.Handler like any other. It awaits with the context of its request,
// and while it does, others run; between two awaits nobody else does, so what they share
// needs no lock. A client that goes away cancels the task of its handler.
//
// Without flags it serves a few visitors of its own, and then ends while a slow answer is
// under way. With -listen it serves whoever comes, until SIGINT or SIGTERM:
//
//	go run ./examples/http_server -listen localhost:8080
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynchttp"
)

const (
	pause = 20 * time.Millisecond // between two lines of a slow answer
	grace = 10 * time.Second      // for answers that are under way at the end
)

func main() {
	listen := flag.String("listen", "", "serve there until a signal comes")
	flag.Parse()
	program := demonstrate
	if *listen != "" {
		program = func(ctx context.Context) error { return serve(ctx, *listen) }
	}
	if _, err := asyncio.Run(asyncio.Do(program)); err != nil {
		fmt.Fprintln(os.Stderr, "http_server:", err)
		os.Exit(1)
	}
}

// site is what the handlers share. They are tasks of one loop, so there is no lock.
type site struct {
	visits map[string]int
}

func (s *site) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello/{name}", s.hello)
	mux.HandleFunc("GET /count", s.count)
	mux.HandleFunc("GET /slow", s.slow)
	return mux
}

func (s *site) hello(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	s.visits[name]++
	fmt.Fprintf(w, "hello %s, visit %d\n", name, s.visits[name])
}

func (s *site) count(w http.ResponseWriter, _ *http.Request) {
	total := 0
	for _, n := range s.visits {
		total += n
	}
	fmt.Fprintf(w, "%d visitors, %d visits\n", len(s.visits), total)
}

// slow sends a line now and then. It ends early if the client does.
func (s *site) slow(w http.ResponseWriter, r *http.Request) {
	for n := range 3 {
		fmt.Fprintf(w, "line %d\n", n+1)
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		if err := asyncio.Sleep(r.Context(), pause); err != nil {
			return
		}
	}
}

// newServer has time-outs: without them a client may take as long as it likes.
func newServer() *asynchttp.Server {
	s := &site{visits: make(map[string]int)}
	return &asynchttp.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       time.Minute,
	}
}

// stop lets answers that are under way end, for as long as grace allows.
func stop(ctx context.Context, server *asynchttp.Server) error {
	return asyncio.Timeout(ctx, grace, server.Shutdown)
}

// serve serves until a signal comes.
func serve(ctx context.Context, address string) error {
	server := newServer()
	l, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return err
	}
	told := asyncio.NewEvent()
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		if err := l.AddSignalHandler(sig, told.Set); err != nil {
			return err
		}
	}
	stopping := asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
		if err := told.Wait(ctx); err != nil {
			return err
		}
		return stop(ctx, server)
	}))
	fmt.Println("serving on", address)
	if err := server.ListenAndServe(ctx, "tcp", address); !errors.Is(err, http.ErrServerClosed) {
		stopping.Cancel()
		return err
	}
	_, err = stopping.Await(ctx)
	return err
}

// demonstrate is a server and its visitors, in tasks of one loop.
func demonstrate(ctx context.Context) error {
	server := newServer()
	listener, err := server.Start(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	base := "http://" + listener.Addrs()[0].String()
	transport := &asynchttp.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}

	var visits []asyncio.Awaitable[string]
	for range 10 {
		for _, name := range []string{"ann", "ben", "eve"} {
			visits = append(visits, asyncio.Coro[string](func(ctx context.Context) (string, error) { return get(ctx, client, base+"/hello/"+name) }))
		}
	}
	if _, err := asyncio.Gather(ctx, visits...).Await(ctx); err != nil {
		return err
	}
	count, err := get(ctx, client, base+"/count")
	if err != nil {
		return err
	}
	fmt.Print("thirty visits at once: ", count)
	return endDuring(ctx, server, client, base+"/slow")
}

// endDuring stops the server after the first line of an answer, and reads the rest.
func endDuring(ctx context.Context, server *asynchttp.Server, client *http.Client, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	var stopping *asyncio.Task[asyncio.None]
	for lines.Scan() {
		fmt.Println(lines.Text())
		if stopping == nil {
			fmt.Println("stopping")
			stopping = asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error { return stop(ctx, server) }))
		}
	}
	if lines.Err() != nil {
		return lines.Err()
	}
	if _, err := stopping.Await(ctx); err != nil {
		return err
	}
	fmt.Println("stopped")
	return nil
}

// get is the body of a page.
func get(ctx context.Context, client *http.Client, url string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	answer, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}
