package netconn_test

import (
	"context"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
)

// BenchmarkEcho measures a round trip of 1 KiB from a client of package net to a server:
// by streams, by conns in tasks, by conns in goroutines, and by package net.
func BenchmarkEcho(b *testing.B) {
	handlers := map[string]func(l *asyncio.Loop, ctx context.Context) (net.Addr, func() error, error){
		"stream": func(_ *asyncio.Loop, ctx context.Context) (net.Addr, func() error, error) {
			s, err := asyncio.StartServer(ctx, echoStream, "tcp", "127.0.0.1:0")
			if err != nil {
				return nil, nil, err
			}
			return s.Addrs()[0], func() error { s.Close(); return nil }, nil
		},
		"conn in a task": func(l *asyncio.Loop, ctx context.Context) (net.Addr, func() error, error) {
			ln, err := l.Listen(ctx, "tcp", "127.0.0.1:0")
			if err != nil {
				return nil, nil, err
			}
			asyncio.CreateTask(ctx, func(ctx context.Context) (asyncio.None, error) {
				for {
					c, err := ln.Accept()
					if err != nil {
						return asyncio.None{}, nil
					}
					asyncio.CreateTask(ctx, func(context.Context) (asyncio.None, error) { return asyncio.None{}, echoConn(c) })
				}
			})
			return ln.Addr(), ln.Close, nil
		},
		"conn in a goroutine": func(l *asyncio.Loop, ctx context.Context) (net.Addr, func() error, error) {
			ln, err := l.Listen(ctx, "tcp", "127.0.0.1:0")
			if err != nil {
				return nil, nil, err
			}
			go acceptAll(ln)
			return ln.Addr(), ln.Close, nil
		},
		"package net": func(*asyncio.Loop, context.Context) (net.Addr, func() error, error) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, nil, err
			}
			go acceptAll(ln)
			return ln.Addr(), ln.Close, nil
		},
	}
	for name, listen := range handlers {
		b.Run(name, func(b *testing.B) {
			l, err := asyncio.NewEventLoop()
			require.NoError(b, err)
			ended := make(chan error, 1)
			go func() { ended <- l.RunForever() }()
			var stop func() error
			addr, err := asyncio.RunCoroutineThreadsafe(l, func(ctx context.Context) (net.Addr, error) {
				addr, end, err := listen(l, ctx)
				stop = end
				return addr, err
			}).Result(context.Background())
			require.NoError(b, err)
			c, err := net.Dial("tcp", addr.String())
			require.NoError(b, err)
			message := make([]byte, 1<<10)
			for b.Loop() {
				if _, err := c.Write(message); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c, message); err != nil {
					b.Fatal(err)
				}
			}
			require.NoError(b, c.Close())
			_, err = asyncio.RunCoroutineThreadsafe(l, asyncio.Do(func(context.Context) error { return stop() })).Result(context.Background())
			require.NoError(b, err)
			_, err = l.CallSoonThreadsafe(l.Stop)
			require.NoError(b, err)
			require.NoError(b, <-ended)
			require.NoError(b, l.Close())
		})
	}
}

func acceptAll(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() { _ = echoConn(c) }()
	}
}

func echoConn(c net.Conn) error {
	p := make([]byte, 4<<10)
	for {
		n, err := c.Read(p)
		if err != nil {
			return c.Close()
		}
		if _, err := c.Write(p[:n]); err != nil {
			return err
		}
	}
}

func echoStream(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
	p := make([]byte, 4<<10)
	for {
		n, err := r.Read(ctx, p)
		if err != nil {
			return w.Close()
		}
		if _, err := w.Write(p[:n]); err != nil {
			return err
		}
	}
}
