//go:build check && unix

package processes_test

import (
	"context"
	"testing"
)

// 5,000 children, 500 of them at once, beside 200 goroutines that compute.
func TestCrowds(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context) {
		for range 10 {
			crowd{children: 500, others: 100, busy: 200}.run(t, ctx)
		}
	})
}
