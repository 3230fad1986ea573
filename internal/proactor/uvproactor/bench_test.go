//go:build cgo

package uvproactor

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// BenchmarkPoll is a turn that finds nothing, as the loop above makes one.
func BenchmarkPoll(b *testing.B) {
	p, err := New(false)
	require.NoError(b, err)
	defer p.Close()
	b.ReportAllocs()
	for b.Loop() {
		p.Poll(0)
	}
}

// echoEnd sends back what it receives, or counts it.
type echoEnd struct {
	s    proactor.Stream
	data func(b []byte)
}

func (e *echoEnd) Data(b []byte) { e.data(b) }
func (e *echoEnd) EOF()          {}
func (e *echoEnd) Drained()      {}
func (e *echoEnd) Failed(error)  { e.s.Close() }
func (e *echoEnd) Closed()       {}

func (e *echoEnd) Accepted(s proactor.Stream) {
	e.s = s
	s.SetHandler(e)
	s.ReadStart()
}

func (e *echoEnd) AcceptFailed(error) {}

// BenchmarkEcho is 1 KiB there and back between two streams of one driver: two reads, two
// writes and two waits.
func BenchmarkEcho(b *testing.B) {
	for name, lockedThread := range map[string]bool{"parked": false, "blocked": true} {
		b.Run(name, func(b *testing.B) {
			p, err := New(lockedThread)
			require.NoError(b, err)
			defer p.Close()
			server := new(echoEnd)
			server.data = func(data []byte) { server.s.Write(data) }
			ln, err := p.Listen(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, proactor.ListenOptions{Backlog: 1})
			require.NoError(b, err)
			require.NoError(b, ln.Start(server))
			msg := make([]byte, 1024)
			got, rounds := 0, 0
			client := new(echoEnd)
			client.data = func(data []byte) {
				if got += len(data); got == len(msg) {
					got = 0
					rounds++
					client.s.Write(msg)
				}
			}
			p.Connect(ln.Addr(), proactor.ConnectOptions{}, func(s proactor.Stream, err error) {
				require.NoError(b, err)
				client.Accepted(s)
				s.Write(msg)
			})
			for rounds == 0 {
				require.NoError(b, p.Poll(proactor.Forever))
			}
			b.ReportAllocs()
			b.ResetTimer()
			for rounds = 0; rounds < b.N; {
				if err := p.Poll(proactor.Forever); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
