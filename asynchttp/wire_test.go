package asynchttp

// The buffer of a wire, against a plain slice.

import (
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWireBuffer(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		var w wire
		var want []byte
		for range 100 {
			switch r.IntN(3) {
			case 0:
				b := make([]byte, r.IntN(6000))
				for i := range b {
					b[i] = byte(r.IntN(256))
				}
				w.store(b)
				want = append(want, b...)
			case 1:
				n := r.IntN(len(want) + 1)
				w.consume(n)
				want = want[n:]
			case 2:
				b := make([]byte, r.IntN(3000))
				for i := range b {
					b[i] = byte(r.IntN(256))
				}
				w.putBack(b)
				want = append(b, want...)
			}
			require.Equal(t, string(want), string(w.unread()), "seed %d", seed)
			if len(want) == 0 {
				require.Nil(t, w.in, "seed %d: an empty wire has no memory", seed)
			}
		}
		w.consume(len(want))
	}
}

// A server holds one for every idle connection.
func TestConnectionIsSmall(t *testing.T) {
	assert.LessOrEqual(t, unsafe.Sizeof(connection{}), uintptr(416))
}
