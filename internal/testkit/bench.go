package testkit

import (
	"context"
	"testing"

	"github.com/seed-a026a017/asyncio"
)

// BenchTask runs the benchmark as the main task of a loop.
func BenchTask(b *testing.B, fn func(ctx context.Context)) {
	b.Helper()
	b.ReportAllocs()
	_, err := asyncio.Run(func(ctx context.Context) (asyncio.None, error) {
		fn(ctx)
		return asyncio.None{}, nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// One is the shortest coroutine.
func One(context.Context) (int, error) { return 1, nil }
