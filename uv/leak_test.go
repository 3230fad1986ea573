//go:build cgo

package uv_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

func TestLeaks(t *testing.T) {
	t.Run("UV-151", func(t *testing.T) { // in a child, because what is lost stays lost
		require.Contains(t, inChild(t, "leak"), "reported")
	})
	t.Run("a loop that was closed is no leak", func(t *testing.T) {
		l := newLoop(t, uv.WithLeakReport(func(leak uv.Leak) { t.Error(leak) }))
		timer, c := newTimer(t, l), newTCP(t, l)
		timer.Close()
		c.Close()
		run(t, l, uv.RunDefault)
		require.NoError(t, l.Close())
		l, timer, c = nil, nil, nil
		runtime.GC()
	})
}
