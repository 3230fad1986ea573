// Proxy shows a TCP proxy that holds back whoever is too fast, in both directions:
// StreamReader.read, StreamWriter.drain, write_eof.
//
// For every client it opens a connection to the server behind it, and two tasks copy, one
// for each direction. Each reads a piece, writes it, and drains: while the receiver does
// not take what was written, the task does not read, so the kernel's buffers fill up and
// hold the sender back. The proxy itself never keeps more than a little. The end of one
// direction is passed on by itself, and the other goes on: a client may say all it has to
// say, and then wait for the answer.
//
// Without flags it puts itself between a client and a server of its own. With -listen it
// serves until Ctrl-C:
//
//	go run ./examples/proxy -listen 127.0.0.1:8080 -to example.com:80
//	curl -H 'Host: example.com' http://127.0.0.1:8080/
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio"
)

// pieceBytesMax is how much is read at a time. With the writer's high-water mark, 64 KiB,
// it bounds what the proxy keeps for each direction.
const pieceBytesMax = 64 << 10

func main() {
	listen := flag.String("listen", "", "serve on this `address` until Ctrl-C; port 0 picks one")
	to := flag.String("to", "", "the `address` of the server behind the proxy")
	flag.Parse()
	run := demo
	if *listen != "" {
		run = func() error { return serve(*listen, *to) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "proxy:", err)
		os.Exit(1)
	}
}

// proxy passes connections on to one address.
type proxy struct {
	to      string
	keptMax int // bytes that it kept for one direction, at the most
}

// start opens a proxy. It serves in the background, for as long as the loop runs.
func start(ctx context.Context, address, to string) (*proxy, *asyncio.Server, error) {
	p := &proxy{to: to}
	server, err := asyncio.StartServer(ctx, p.handle, "tcp", address)
	if err != nil {
		return nil, nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return p, server, nil
}

// handle passes one connection on.
func (p *proxy) handle(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) (err error) {
	defer func() { err = errors.Join(err, w.Close()) }()
	behindR, behindW, err := asyncio.OpenConnection(ctx, "tcp", p.to)
	if err != nil {
		return fmt.Errorf("pass a client on: %w", err)
	}
	defer func() { err = errors.Join(err, behindW.Close()) }()
	// The group ends when both directions have. If one fails it cancels the other.
	err = asyncio.WithTaskGroup(ctx, func(_ context.Context, group *asyncio.TaskGroup) error {
		group.Go(func(ctx context.Context) error { return p.copy(ctx, behindW, r) })
		group.Go(func(ctx context.Context) error { return p.copy(ctx, w, behindR) })
		return nil
	})
	if err != nil && !errors.Is(err, asyncio.ErrCancelled) {
		// One connection broke. The other one breaks too: an orderly end would say that
		// all has come.
		w.Transport().Abort()
		behindW.Transport().Abort()
		return nil
	}
	return err
}

// copy passes bytes on until they end, and then passes the end on.
func (p *proxy) copy(ctx context.Context, w *asyncio.StreamWriter, r *asyncio.StreamReader) error {
	for piece := make([]byte, pieceBytesMax); ; {
		n, err := r.Read(ctx, piece)
		if errors.Is(err, io.EOF) {
			return w.WriteEOF()
		}
		if err != nil {
			return err
		}
		if _, err := w.Write(piece[:n]); err != nil {
			return err
		}
		p.keptMax = max(p.keptMax, w.Transport().WriteBufferSize())
		if err := w.Drain(ctx); err != nil { // the back-pressure
			return err
		}
	}
}

// serve runs a proxy until Ctrl-C or SIGTERM.
func serve(address, to string) error {
	stop, restore := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer restore()
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		_, server, err := start(ctx, address, to)
		if err != nil {
			return err
		}
		fmt.Println("listening on", server.Addrs()[0])
		stopped := asyncio.Sleep(ctx, asyncio.Forever)
		server.Close()
		server.AbortClients()
		return stopped
	}), asyncio.WithContext(stop))
	if stop.Err() != nil && errors.Is(err, asyncio.ErrCancelled) {
		return nil // it was meant to end
	}
	return err
}

// From here on: a server that talks much, and a client that is slow.

// answerBytes is more than the kernel keeps for two connections.
const answerBytes = 64 << 20

// talker is a server that waits for all that its client has to say, and then talks much.
type talker struct {
	heard []byte
	sent  int
}

func (s *talker) handle(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) (err error) {
	defer func() { err = errors.Join(err, w.Close()) }()
	if s.heard, err = r.ReadAll(ctx); err != nil { // to the client's end of the stream
		return err
	}
	for s.sent < answerBytes {
		n, err := w.Write(answer(s.sent, min(pieceBytesMax, answerBytes-s.sent)))
		if err != nil {
			return err
		}
		s.sent += n
		if err := w.Drain(ctx); err != nil {
			return err
		}
	}
	return nil
}

// answer is n bytes of the answer. Its period is prime, so bytes that are lost show.
func answer(from, n int) []byte {
	piece := make([]byte, n)
	for i := range piece {
		piece[i] = byte((from + i) % 251)
	}
	return piece
}

// demo sends a request through the proxy, does not read for a while, and then compares
// every byte.
func demo() error {
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		behind := &talker{}
		server, err := asyncio.StartServer(ctx, behind.handle, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		p, front, err := start(ctx, "127.0.0.1:0", server.Addrs()[0].String())
		if err != nil {
			return err
		}
		if err := slowClient(ctx, front.Addrs()[0].String(), behind); err != nil {
			return err
		}
		fmt.Printf("the server heard: %s\n", behind.heard)
		if bound := 2 * pieceBytesMax; p.keptMax > bound {
			return fmt.Errorf("the proxy kept %d bytes, more than %d", p.keptMax, bound)
		}
		fmt.Println("the proxy never kept more than 128 KiB")
		front.Close()
		server.Close()
		return errors.Join(front.WaitClosed(ctx), server.WaitClosed(ctx))
	}))
	return err
}

// slowClient asks, sends the end of its stream, and reads when nothing moves any more.
func slowClient(ctx context.Context, address string, behind *talker) (err error) {
	r, w, err := asyncio.OpenConnection(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close(), w.WaitClosed(ctx)) }()
	if _, err := w.Write([]byte("tell me all")); err != nil {
		return err
	}
	if err := w.WriteEOF(); err != nil {
		return err
	}
	for before := -1; behind.sent == 0 || behind.sent != before; {
		before = behind.sent
		if err := asyncio.Sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	if behind.sent == answerBytes {
		return errors.New("the server was not held back")
	}
	fmt.Println("the client does not read: the server waits")
	received := 0
	for piece := make([]byte, pieceBytesMax); ; {
		n, err := r.Read(ctx, piece)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if !bytes.Equal(piece[:n], answer(received, n)) {
			return fmt.Errorf("bytes %d to %d are wrong", received, received+n)
		}
		received += n
	}
	fmt.Printf("the client reads: %d MiB, every byte in its place\n", received>>20)
	return nil
}
