package files_test

// Files that are in the kernel's memory, read by tasks and, beside that, by goroutines:
// what the way to a goroutine and back costs. Compare the rows of one run.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
)

var benchSizes = []struct {
	name  string
	bytes int
}{{"4KiB", 4 << 10}, {"1MiB", 1 << 20}}

var benchWidths = []int{1, 100}

func benchFile(b *testing.B, bytes int) string {
	b.Helper()
	name := filepath.Join(b.TempDir(), "f")
	if err := os.WriteFile(name, pattern(bytes), 0o600); err != nil {
		b.Fatal(err)
	}
	return name
}

// reading is one task's or goroutine's.
type reading struct {
	one func(ctx context.Context) error
	end func() error
}

func nothing() error { return nil }

// benchTasks shares b.N reads among so many tasks.
func benchTasks(b *testing.B, d asyncio.Driver, width int, begin func(ctx context.Context) (reading, error)) {
	b.Helper()
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		return withReadings(b, width, func() (reading, error) { return begin(ctx) }, func(all []reading) error {
			left := b.N
			return asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
				for _, r := range all {
					tg.Go(func(ctx context.Context) (err error) {
						for ; err == nil && left > 0; left-- {
							err = r.one(ctx)
						}
						return err
					})
				}
				return nil
			})
		})
	}), asyncio.WithDriver(d))
	if err != nil {
		b.Fatal(err)
	}
}

// benchGoroutines shares b.N reads among so many goroutines.
func benchGoroutines(b *testing.B, width int, begin func() (reading, error)) {
	b.Helper()
	err := withReadings(b, width, begin, func(readings []reading) error {
		var all sync.WaitGroup
		for i, r := range readings {
			all.Go(func() {
				for range (b.N + i) / width {
					if err := r.one(context.Background()); err != nil {
						b.Error(err)
					}
				}
			})
		}
		all.Wait()
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// withReadings runs body with so many of them, and measures it.
func withReadings(b *testing.B, width int, begin func() (reading, error), body func(all []reading) error) (err error) {
	all := make([]reading, 0, width)
	for range width {
		r, err := begin()
		if err != nil {
			return err
		}
		all = append(all, r)
	}
	b.ResetTimer()
	err = body(all)
	b.StopTimer()
	for _, r := range all {
		err = errors.Join(err, r.end())
	}
	return err
}

// benchReads has a row for each size, number of tasks, and driver, and for goroutines.
func benchReads(b *testing.B,
	task func(ctx context.Context, name string, bytes int) (reading, error), goroutine func(name string, bytes int) (reading, error),
) {
	for _, size := range benchSizes {
		for _, width := range benchWidths {
			row := func(by string, run func(b *testing.B, name string)) {
				b.Run(fmt.Sprintf("%s/%d/%s", size.name, width, by), func(b *testing.B) {
					name := benchFile(b, size.bytes)
					b.SetBytes(int64(size.bytes))
					b.ReportAllocs()
					run(b, name)
				})
			}
			for _, d := range asynciotest.Drivers() {
				row(d.String(), func(b *testing.B, name string) {
					benchTasks(b, d, width, func(ctx context.Context) (reading, error) { return task(ctx, name, size.bytes) })
				})
			}
			row("goroutines", func(b *testing.B, name string) {
				benchGoroutines(b, width, func() (reading, error) { return goroutine(name, size.bytes) })
			})
		}
	}
}

func BenchmarkReadFile(b *testing.B) {
	benchReads(b, func(ctx context.Context, name string, _ int) (reading, error) {
		return reading{func(ctx context.Context) error {
			_, err := asyncio.ReadFile(ctx, name)
			return err
		}, nothing}, nil
	}, func(name string, _ int) (reading, error) {
		return reading{func(context.Context) error {
			_, err := os.ReadFile(name)
			return err
		}, nothing}, nil
	})
}

func BenchmarkReadAt(b *testing.B) {
	benchReads(b, func(ctx context.Context, name string, bytes int) (reading, error) {
		f, err := asyncio.Open(ctx, name)
		p := make([]byte, bytes)
		return reading{func(ctx context.Context) error {
			_, err := f.ReadAt(ctx, p, 0)
			return err
		}, func() error { return f.Close(ctx) }}, err
	}, func(name string, bytes int) (reading, error) {
		f, err := os.Open(name)
		p := make([]byte, bytes)
		return reading{func(context.Context) error {
			_, err := f.ReadAt(p, 0)
			return err
		}, f.Close}, err
	})
}
