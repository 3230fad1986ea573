// Package clients has three kinds of client for an echo server: Go's net, Python's
// asyncio, and nc. None of them knows anything of this library, which is what makes them
// good witnesses.
//
// Each client sends bytes of its own and compares what comes back with them, byte for
// byte. All of them are connected before the first one sends its main part.
package clients

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// greetingBytes is what a client sends first, to be sure that the server has accepted
	// it.
	greetingBytes = 64
	// dialsMax is how many clients of one kind connect at the same time, so that no
	// server's backlog overflows.
	dialsMax = 50
	// bufferBytes is how much a client reads and compares at once.
	bufferBytes = 64 << 10
	// stride is how far the bytes of one client are from those of the next.
	stride = 4099
)

// Payload is what the clients send: random bytes, of which each client has its own part.
type Payload struct {
	data []byte
	size int
}

// NewPayload makes payloads of size bytes, the same ones every time.
func NewPayload(size int) *Payload {
	p := &Payload{data: make([]byte, 2*size), size: size}
	random := rand.NewChaCha8([32]byte{1})
	if _, err := random.Read(p.data); err != nil {
		panic(err) // it has nothing to fail at, and says so
	}
	return p
}

// Of is the payload of one client.
func (p *Payload) Of(client int) []byte {
	start := client * stride % p.size
	return p.data[start : start+p.size]
}

// Kind is a kind of client.
type Kind struct {
	Name    string
	program string // that it needs; "": none
	run     func(ctx context.Context, j job) error
}

// The kinds of client there are.
var (
	Net    = Kind{Name: "Go's net", run: runNet}
	Python = Kind{Name: "Python's asyncio", program: pythonProgram, run: runPython}
	Netcat = Kind{Name: "nc", program: ncProgram, run: runNetcat}
)

// Missing tells why there can be no clients of the kind on this machine, or nil.
func (k Kind) Missing() error {
	if k.program == "" {
		return nil
	}
	_, err := exec.LookPath(k.program)
	return err
}

// Group is so many clients of one kind.
type Group struct {
	Kind  Kind
	Count int
}

// Together runs groups of clients at one echo server, all at once, and returns the first
// failure.
func Together(ctx context.Context, address string, payload *Payload, groups ...Group) error {
	jobs := make([]job, len(groups))
	start := make(chan struct{})
	var missing atomic.Int64 // clients that are not connected yet
	connected := func() {
		if missing.Add(-1) == 0 {
			close(start)
		}
	}
	total := 0
	for i, g := range groups {
		jobs[i] = job{address: address, first: total, count: g.Count, payload: payload, connected: connected, start: start}
		total += g.Count
	}
	missing.Store(int64(total))
	return allOf(ctx, len(groups), func(ctx context.Context, i int) error {
		if err := groups[i].Kind.run(ctx, jobs[i]); err != nil {
			return fmt.Errorf("%s: %w", groups[i].Kind.Name, err)
		}
		return nil
	})
}

// job is what a group has to do.
type job struct {
	address   string
	first     int // the number of the first client
	count     int
	payload   *Payload
	connected func()          // to be called once for each client that the server has answered
	start     <-chan struct{} // is closed when the clients may go on after that
}

// each runs fn for every client of the job, all at once.
func (j job) each(ctx context.Context, fn func(ctx context.Context, client int) error) error {
	return allOf(ctx, j.count, func(ctx context.Context, i int) error {
		if err := fn(ctx, j.first+i); err != nil {
			return fmt.Errorf("client %d: %w", j.first+i, err)
		}
		return nil
	})
}

// allOf runs fn n times at once. The first failure ends the others, which might wait for
// it, and is returned.
func allOf(ctx context.Context, n int, fn func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var once sync.Once
	var first error
	for i := range n {
		wg.Go(func() {
			if err := fn(ctx, i); err != nil {
				once.Do(func() {
					first = err
					cancel(err)
				})
			}
		})
	}
	wg.Wait()
	return first
}

// awaitStart waits until all clients may send.
func (j job) awaitStart(ctx context.Context) error {
	select {
	case <-j.start:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// exchange sends a client's payload through w and compares it with what r brings.
func (j job) exchange(ctx context.Context, client int, r io.Reader, w io.Writer) error {
	payload := j.payload.Of(client)
	greeting, rest := payload[:greetingBytes], payload[greetingBytes:]
	if _, err := w.Write(greeting); err != nil {
		return fmt.Errorf("send the greeting: %w", err)
	}
	if err := expect(r, greeting); err != nil {
		return fmt.Errorf("greeting: %w", err)
	}
	j.connected()
	if err := j.awaitStart(ctx); err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		_, err := w.Write(rest)
		sent <- err
	}()
	if err := expect(r, rest); err != nil {
		return err // the caller closes the connection, which ends the sender too
	}
	return <-sent
}

// expect reads as many bytes as want has and compares them.
func expect(r io.Reader, want []byte) error {
	buf := make([]byte, min(bufferBytes, len(want)))
	for at := 0; at < len(want); {
		n, err := r.Read(buf[:min(len(buf), len(want)-at)])
		if !bytes.Equal(buf[:n], want[at:at+n]) {
			return fmt.Errorf("the echo differs between bytes %d and %d", at, at+n)
		}
		at += n
		if err != nil && at < len(want) {
			return fmt.Errorf("after %d of %d bytes: %w", at, len(want), err)
		}
	}
	return nil
}

// runNet runs the clients of a job on package net, one goroutine or two each.
func runNet(ctx context.Context, j job) error {
	dials := make(chan struct{}, dialsMax)
	return j.each(ctx, func(ctx context.Context, client int) (err error) {
		dials <- struct{}{}
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", j.address)
		<-dials
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, conn.Close()) }()
		past := time.Unix(1, 0)
		unwatch := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(past) }) // fails only if it is closed already
		defer unwatch()
		if err := j.exchange(ctx, client, conn, conn); err != nil {
			return err
		}
		return finish(conn)
	})
}

// finish ends our half of the stream, upon which the server ends its own without another
// byte.
func finish(conn net.Conn) error {
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	if n, err := conn.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
		return fmt.Errorf("after the last byte: %d more, error %w", n, err)
	}
	return nil
}

// Rate has conns clients ask for as long as d, one question of size bytes after another,
// and counts the answers.
func Rate(ctx context.Context, address string, conns, size int, d time.Duration) (answers int, err error) {
	counts := make([]int, conns)
	deadline := time.Now().Add(d)
	j := job{count: conns}
	err = j.each(ctx, func(ctx context.Context, client int) (err error) {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, conn.Close()) }()
		question := bytes.Repeat([]byte{byte(client)}, size)
		answer := make([]byte, size)
		for time.Now().Before(deadline) {
			if _, err := conn.Write(question); err != nil {
				return err
			}
			if _, err := io.ReadFull(conn, answer); err != nil {
				return err
			}
			counts[client]++
		}
		if !slices.Equal(answer, question) {
			return errors.New("the echo differs")
		}
		return nil
	})
	for _, n := range counts {
		answers += n
	}
	return answers, err
}
