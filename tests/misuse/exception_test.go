// What the default exception handler logs.
package misuse_test

import (
	"bytes"
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestDefaultExceptionHandler(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("all that it is told", func(t *testing.T) {
			log, logTo := testkit.RecordLog()
			l := asynciotest.New(t, append(opts, logTo)...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				p := testkit.NewTap(l)
				transport, _ := testkit.ConnectToNet(t, ctx, p.Factory)
				l.DefaultExceptionHandler(asyncio.ErrorContext{
					Message: "told", Exception: &asyncio.PanicError{Value: testkit.ErrBoom, Stack: []byte("the stack")},
					Task: asyncio.CurrentTask(ctx), Protocol: p, Transport: transport, SourceTraceback: "made here",
				})
				line := log.Matching("told")[0]
				for _, want := range []string{
					"ERROR told exception=panic: boom", "stack=the stack", "task=" + asyncio.CurrentTask(ctx).Name(),
					"protocol=*testkit.Tap", "transport=<tcp transport", "source_traceback=made here",
				} {
					require.Contains(t, line, want)
				}
				transport.Abort()
				require.NoError(t, p.End(t, ctx))
			})
		})
		t.Run("a report without a message", func(t *testing.T) {
			log, logTo := testkit.RecordLog()
			asynciotest.New(t, append(opts, logTo)...).DefaultExceptionHandler(asyncio.ErrorContext{})
			require.Equal(t, []string{"ERROR Unhandled exception in event loop"}, log.Lines)
		})
		t.Run("without a logger of the loop it uses the program's", func(t *testing.T) {
			var out bytes.Buffer
			before := slog.Default()
			slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
			defer slog.SetDefault(before)
			asynciotest.New(t, opts[0], asyncio.WithLogger(nil)).DefaultExceptionHandler(asyncio.ErrorContext{Message: "told"})
			require.Contains(t, out.String(), "level=ERROR msg=told")
		})
	})
}
