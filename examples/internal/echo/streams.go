package echo

// The echo with streams: the server's coroutine, and the client's.

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/seed-a026a017/asyncio"
)

// readBytesMax is how much one Read takes.
const readBytesMax = 64 << 10

// handleStreams is the server's side of one connection as a coroutine. The server runs it
// as a task of its own for each connection; an error that it returns goes to the loop's
// exception handler.
func handleStreams(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) (err error) {
	defer func() { err = errors.Join(err, w.Close()) }() // sends what is left, then closes
	buf := make([]byte, readBytesMax)
	for {
		n, err := r.Read(ctx, buf) // suspends until there is something
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read from %v: %w", w.Transport().RemoteAddr(), err)
		}
		if _, err := w.Write(buf[:n]); err != nil { // does not suspend: the rest is buffered
			return fmt.Errorf("write to %v: %w", w.Transport().RemoteAddr(), err)
		}
		if err := w.Drain(ctx); err != nil { // suspends while too much is buffered: this is the back-pressure
			return fmt.Errorf("write to %v: %w", w.Transport().RemoteAddr(), err)
		}
	}
}

// askStreams sends a message to an echo server and returns what comes back.
func askStreams(ctx context.Context, address string, message []byte) (reply []byte, err error) {
	r, w, err := asyncio.OpenConnection(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	defer func() { err = errors.Join(err, w.Close(), w.WaitClosed(ctx)) }()
	// Writing and reading at the same time: with a message larger than all the buffers on
	// the way, the server would otherwise wait for us to read, and we for it.
	sending := asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
		if _, err := w.Write(message); err != nil {
			return err
		}
		if err := w.Drain(ctx); err != nil {
			return err
		}
		return w.WriteEOF() // now the server's Read returns io.EOF
	}))
	reply, err = r.ReadAll(ctx)
	if err != nil {
		sending.Cancel() // nobody is going to await it
		return nil, fmt.Errorf("read from %s: %w", address, err)
	}
	if _, err := sending.Await(ctx); err != nil {
		return nil, fmt.Errorf("write to %s: %w", address, err)
	}
	return reply, nil
}
