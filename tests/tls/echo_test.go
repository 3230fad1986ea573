package tls_test

import (
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// eachTask runs test in a task on each driver, and nothing may be reported.
func eachTask(t *testing.T, test func(t *testing.T, ctx context.Context)) {
	t.Helper()
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		rec := asynciotest.RecordReports(l)
		asynciotest.InTask(t, l, func(ctx context.Context) { test(t, ctx) })
		rec.None(t)
	})
}

// echo is the handler of a server that answers what it gets.
func echo(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
	defer w.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(ctx, buf)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := w.Write(buf[:n]); err != nil {
			return err
		}
		if err := w.Drain(ctx); err != nil {
			return err
		}
	}
}

// pattern is n bytes that do not repeat within a record.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

func TestEcho(t *testing.T) {
	t.Run("TLS-01", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			certs := testkit.Certs()
			s, err := asyncio.StartServer(ctx, echo, "tcp", "127.0.0.1:0", asyncio.WithTLS(certs.ServerConfig()))
			require.NoError(t, err)
			data := pattern(1 << 20)
			client := func(ctx context.Context) (bool, error) {
				r, w, err := asyncio.OpenConnection(ctx, "tcp", testkit.ServerAddr(t, s), asyncio.WithTLS(certs.ClientConfig()))
				if err != nil {
					return false, err
				}
				if _, err := w.Write(data); err != nil {
					return false, err
				}
				got, err := r.ReadExactly(ctx, len(data))
				w.Close()
				if err == nil {
					err = w.WaitClosed(ctx)
				}
				return string(got) == string(data), err
			}
			var coros []asyncio.Awaitable[bool]
			for range 25 {
				coros = append(coros, asyncio.CreateTask(ctx, client))
			}
			got, err := asyncio.Gather(ctx, coros...).Await(ctx)
			require.NoError(t, err)
			require.NotContains(t, got, false)
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
}
