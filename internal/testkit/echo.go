package testkit

// Peers that answer.

import (
	"bytes"
	"context"
	"io"

	"github.com/seed-a026a017/asyncio"
)

// Shout answers in upper case, chunk by chunk.
func Shout(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
	defer w.Close()
	for p := make([]byte, 10_000); ; {
		n, err := r.Read(ctx, p)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := w.Write(bytes.ToUpper(p[:n])); err != nil {
			return err
		}
		if err := w.Drain(ctx); err != nil {
			return err
		}
	}
}

// Echoes sends back what it receives.
type Echoes struct {
	asyncio.NullProtocol
	transport asyncio.Transport
}

func (e *Echoes) ConnectionMade(t asyncio.Transport) { e.transport = t }

func (e *Echoes) DataReceived(b []byte) { _, _ = e.transport.Write(b) }

func (e *Echoes) PauseWriting() { e.transport.PauseReading() }

func (e *Echoes) ResumeWriting() { e.transport.ResumeReading() }

// NewEchoes is for CreateServer.
func NewEchoes() asyncio.Protocol { return &Echoes{} }
