// What the default exception handler logs.
package asyncio_test

import (
	"bytes"
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
)

func TestDefaultExceptionHandler(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("all that it is told", func(t *testing.T) {
			log, logTo := recordLog()
			l := newLoop(t, append(opts, logTo)...)
			inTask(t, l, func(ctx context.Context) {
				p := newTap(l)
				transport, _ := connectToNet(t, ctx, p.factory)
				l.DefaultExceptionHandler(asyncio.ErrorContext{
					Message: "told", Exception: &asyncio.PanicError{Value: errBoom, Stack: []byte("the stack")},
					Task: asyncio.CurrentTask(ctx), Protocol: p, Transport: transport, SourceTraceback: "made here",
				})
				line := log.matching("told")[0]
				for _, want := range []string{
					"ERROR told exception=panic: boom", "stack=the stack", "task=" + asyncio.CurrentTask(ctx).Name(),
					"protocol=*asyncio_test.tap", "transport=<tcp transport", "source_traceback=made here",
				} {
					require.Contains(t, line, want)
				}
				transport.Abort()
				require.NoError(t, p.end(t, ctx))
			})
		})
		t.Run("a report without a message", func(t *testing.T) {
			log, logTo := recordLog()
			newLoop(t, append(opts, logTo)...).DefaultExceptionHandler(asyncio.ErrorContext{})
			require.Equal(t, []string{"ERROR Unhandled exception in event loop"}, log.lines)
		})
		t.Run("without a logger of the loop it uses the program's", func(t *testing.T) {
			var out bytes.Buffer
			before := slog.Default()
			slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
			defer slog.SetDefault(before)
			newLoop(t, opts[0]).DefaultExceptionHandler(asyncio.ErrorContext{Message: "told"})
			require.Contains(t, out.String(), "level=ERROR msg=told")
		})
	})
}
