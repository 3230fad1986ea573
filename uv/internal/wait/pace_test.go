//go:build unix

package wait

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPace(t *testing.T) {
	p := pace{mean: paceWaitMax}
	for range 100 {
		p.note(shortMeanEnd - 1)
	}
	require.False(t, p.short, "not short enough to begin")
	for range 100 {
		p.note(0)
	}
	require.True(t, p.short)
	p.note(time.Hour)
	require.True(t, p.short, "one long wait")
	for range 2 * paceShare {
		p.note(shortMeanEnd - 1)
	}
	require.True(t, p.short, "short enough to go on")
	p.note(time.Hour)
	p.note(time.Hour)
	require.False(t, p.short)
	for range 100 {
		p.note(tinyMeanBegin / 2)
	}
	require.True(t, p.tiny)
	for range 100 {
		p.note(tinyMeanEnd - 1)
	}
	require.True(t, p.tiny)
	p.note(time.Millisecond)
	require.False(t, p.tiny, "one long wait is enough")
	require.True(t, p.short)
}
