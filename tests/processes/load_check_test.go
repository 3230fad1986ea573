//go:build check && unix

package processes_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// 5,000 children, 500 of them at once, beside 200 goroutines that compute, and 10,000
// signals of each number.
func TestCrowds(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context) {
		for range 10 {
			crowd{children: 500, others: 100, busy: 200, signals: 1000}.run(t, ctx)
		}
	})
	require.Empty(t, testkit.HandlersOffStack(), "and afterwards")
}
