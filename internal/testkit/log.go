package testkit

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/seed-a026a017/asyncio"
)

// LogRecorder is a slog.Handler that keeps messages with their attributes, as text, one
// string a record.
type LogRecorder struct {
	mu    sync.Mutex
	Lines []string
	Fail  func(line string) // called before a line is kept, if set; may panic
}

// RecordLog returns a recorder, and the option that makes it a loop's logger.
func RecordLog() (*LogRecorder, asyncio.Option) {
	r := &LogRecorder{}
	return r, asyncio.WithLogger(slog.New(r))
}

func (r *LogRecorder) Enabled(context.Context, slog.Level) bool { return true }

func (r *LogRecorder) Handle(_ context.Context, rec slog.Record) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", rec.Level, rec.Message)
	rec.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
		return true
	})
	if r.Fail != nil {
		r.Fail(b.String())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Lines = append(r.Lines, b.String())
	return nil
}

func (r *LogRecorder) WithAttrs([]slog.Attr) slog.Handler { return r }

func (r *LogRecorder) WithGroup(string) slog.Handler { return r }

// Matching returns the records that contain text, whatever the case of its letters.
func (r *LogRecorder) Matching(text string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.Lines), func(line string) bool {
		return !strings.Contains(strings.ToLower(line), strings.ToLower(text))
	})
}
