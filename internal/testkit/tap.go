package testkit

// Protocols that note what they hear.

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
)

// Tap is a protocol that keeps what it hears. Several calls of DataReceived in a row are
// one event, "data".
type Tap struct {
	asynciotest.Trace
	Loop      *asyncio.Loop
	Transport asyncio.Transport
	Received  []byte
	KeepOpen  bool // the answer of EOFReceived
	Lost      *asyncio.Future[error]

	// Called after the event of that name, if set.
	OnMade, OnData, OnPause, OnResume func()

	want   int // complete enough at so many bytes
	enough *asyncio.Future[asyncio.None]
}

// NewTap makes the protocol of a connection on l.
func NewTap(l *asyncio.Loop) *Tap { return &Tap{Loop: l, Lost: asyncio.NewFuture[error](l)} }

// Factory is for CreateConnection and CreateServer.
func (p *Tap) Factory() asyncio.Protocol { return p }

func (p *Tap) ConnectionMade(t asyncio.Transport) {
	p.Transport = t
	p.Add("made")
	callIfSet(p.OnMade)
}

func (p *Tap) DataReceived(b []byte) {
	if heard := p.Events(); len(heard) == 0 || heard[len(heard)-1] != "data" {
		p.Add("data")
	}
	p.Received = append(p.Received, b...)
	if p.enough != nil && len(p.Received) >= p.want {
		_ = p.enough.SetResult(asyncio.None{})
		p.enough = nil
	}
	callIfSet(p.OnData)
}

func (p *Tap) EOFReceived() bool {
	p.Add("eof")
	return p.KeepOpen
}

func (p *Tap) PauseWriting() {
	p.Add("pause")
	callIfSet(p.OnPause)
}

func (p *Tap) ResumeWriting() {
	p.Add("resume")
	callIfSet(p.OnResume)
}

func (p *Tap) ConnectionLost(err error) {
	p.Add("lost")
	if p.Lost.SetResult(err) != nil {
		p.Add("lost again")
	}
}

func callIfSet(fn func()) {
	if fn != nil {
		fn()
	}
}

// Receive waits until n bytes have come in all.
func (p *Tap) Receive(t *testing.T, ctx context.Context, n int) {
	t.Helper()
	if len(p.Received) >= n {
		return
	}
	p.want, p.enough = n, asyncio.NewFuture[asyncio.None](p.Loop)
	_, err := p.enough.Await(ctx)
	require.NoError(t, err)
}

// End waits until the connection is lost, and returns with what error.
func (p *Tap) End(t *testing.T, ctx context.Context) error {
	t.Helper()
	lost, err := p.Lost.Await(ctx)
	require.NoError(t, err)
	return lost
}

// BufferedTap is a tap that is read into buffers of size bytes.
type BufferedTap struct {
	*Tap
	Size      int
	Buf       []byte
	OnUpdated func()
}

// Factory is for CreateConnection and CreateServer.
func (p *BufferedTap) Factory() asyncio.Protocol { return p }

func (p *BufferedTap) GetBuffer(int) []byte {
	p.Buf = make([]byte, p.Size)
	return p.Buf
}

func (p *BufferedTap) BufferUpdated(n int) {
	p.DataReceived(p.Buf[:n])
	callIfSet(p.OnUpdated)
}
