package proactortest

// Cases about streams that bring much, and handlers that read them with Pull. Such a
// handler works with every driver: one whose streams are no Sources brings all bytes to
// Data.

import (
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// puller is a recorder that may pull.
type puller struct {
	*recorder
	readable func(src proactor.Source) bool
}

func (p *puller) Readable(src proactor.Source) bool {
	defer p.enter("Readable")()
	if !p.reading || p.eof {
		p.r.t.Errorf("Readable of a stream that does not read")
	}
	return p.readable(src)
}

// pullPair is pair, with a handler that pulls.
func (r *rig) pullPair(l link, readable func(src proactor.Source) bool) (*puller, peerConn) {
	rec, peer := r.pair(l, true)
	p := &puller{rec, readable}
	rec.s.SetHandler(p)
	return p, peer
}

var pullCases = []testCase{
	{name: "Pull in any order", eachLink: func(r *rig, l link) {
		for seed := range uint64(8) {
			r.pullAnything(l, rand.New(rand.NewPCG(seed, 1)))
		}
	}},
	{name: "Pull without bytes", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		src, ok := rec.s.(proactor.Source)
		if !ok {
			r.t.Skip("this driver's streams are no Sources")
		}
		p := make([]byte, 100)
		r.settle()
		require.Zero(r.t, src.Pull(p), "nothing has come")
		rec.readStop()
		_, err := peer.Write([]byte("abc"))
		require.NoError(r.t, err)
		r.settle()
		require.Zero(r.t, src.Pull(p), "reading is stopped")
		rec.readStart()
		r.poll(0)
		require.NoError(r.t, peer.CloseWrite())
		r.until("the end", func() bool {
			rec.got = append(rec.got, p[:src.Pull(p)]...)
			return rec.eof
		})
		require.Equal(r.t, "abc", string(rec.got))
		require.Zero(r.t, src.Pull(p), "the end was told")
		rec.close()
		require.Zero(r.t, src.Pull(p), "the stream is closed")
		r.until("closed", rec.isClosed)
	}},
	{name: "Pull finds a reset", eachLink: func(r *rig, l link) {
		if l.network != "tcp" {
			r.t.Skip("a unix-domain socket is not reset by a lingering close")
		}
		rec, peer := r.pair(l, true)
		src, ok := rec.s.(proactor.Source)
		if !ok {
			r.t.Skip("this driver's streams are no Sources")
		}
		r.settle()
		reset(peer)
		require.Zero(r.t, src.Pull(make([]byte, 100)))
		require.NoError(r.t, rec.err, "no handler runs inside Pull")
		r.until("closed", rec.isClosed)
		require.ErrorIs(r.t, rec.err, syscall.ECONNRESET)
	}},
}

// pullAnything receives with Data and with Pull, as random says, and looks at every byte.
func (r *rig) pullAnything(l link, random *rand.Rand) {
	var got checker
	buf := make([]byte, 1<<18)
	pull := func(src proactor.Source) {
		b := buf[:random.IntN(len(buf))>>random.IntN(8)]
		got.check(b[:src.Pull(b)])
	}
	rec, peer := r.pullPair(l, func(src proactor.Source) bool {
		switch random.IntN(4) {
		case 0:
			return false
		case 1: // the next Poll tells again
		default:
			pull(src)
		}
		return true
	})
	rec.onData = func(b []byte) {
		got.check(b)
		if random.IntN(4) == 0 {
			rec.readStop()
		}
	}
	src, _ := rec.s.(proactor.Source)
	total := random.IntN(4 << 20)
	small := 1 + random.IntN(100)
	r.spawn(func() { sendPattern(peer, total, small, 50000, 65521, 5000); _ = peer.CloseWrite() })
	for !rec.eof {
		require.Positive(r.t, time.Until(r.deadline))
		switch random.IntN(8) {
		case 0:
			rec.readStop()
		case 1, 2:
			rec.readStart()
		case 3:
			if src != nil {
				pull(src)
			}
		default:
			r.poll(100 * time.Microsecond)
		}
	}
	rec.close()
	r.until("closed", rec.isClosed)
	require.Equal(r.t, total, got.off)
	require.False(r.t, got.wrong)
}
