package proactortest

import (
	"net"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// BenchmarkConnect is a connection that is made, accepted, and closed from both sides. It
// is a Unix socket: TCP would run out of ports.
func BenchmarkConnect(b *testing.B, newProactor New) {
	p, err := newProactor()
	require.NoError(b, err)
	defer p.Close()
	ln, err := p.Listen(&net.UnixAddr{Net: "unix", Name: filepath.Join(b.TempDir(), "s")}, listenOptions)
	require.NoError(b, err)
	h := new(closer)
	require.NoError(b, ln.Start(h))
	b.ReportAllocs()
	for b.Loop() {
		h.ends = 0
		p.Connect(ln.Addr(), proactor.ConnectOptions{}, func(s proactor.Stream, err error) {
			if err != nil {
				b.Fatal(err)
			}
			h.Accepted(s)
		})
		for h.ends < 2 {
			if err := p.Poll(proactor.Forever); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// closer closes every stream it is given, and counts those that are closed.
type closer struct{ ends int }

func (h *closer) Accepted(s proactor.Stream) { s.SetHandler(h); s.Close() }
func (h *closer) AcceptFailed(error)         {}
func (h *closer) Data([]byte)                {}
func (h *closer) EOF()                       {}
func (h *closer) Drained()                   {}
func (h *closer) Failed(error)               {}
func (h *closer) Closed()                    { h.ends++ }
