//go:build cgo

package uv_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// A callback that stops its listener lets the connections of its turn be held. When it
// panics as it gets one of those, the others come all the same, and so do later ones.
func TestPanicWithConnectionsHeld(t *testing.T) {
	l := newLoop(t)
	var ln *uv.TCP
	got := 0
	ln = listen(t, l, func(c *uv.TCP, err error) {
		require.NoError(t, err)
		switch got++; got {
		case 1:
			require.NoError(t, ln.AcceptStop())
		case 2:
			panic("in the callback")
		}
	})
	for range 4 {
		dial(t, l, ln)
	}
	until(t, l, "the first one", func() bool { return got == 1 })
	require.NoError(t, ln.AcceptStart())
	require.PanicsWithValue(t, "in the callback", func() { until(t, l, "the second one", func() bool { return false }) })
	until(t, l, "those that were held", func() bool { return got == 4 })
	dial(t, l, ln)
	until(t, l, "a later one", func() bool { return got == 5 })
}
