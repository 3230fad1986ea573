package netconn_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// pattern is n bytes in which a piece that is lost, doubled or moved shows.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

// Much data in reads of all sizes, some of which are given up: nothing is lost or moved.
func TestMuchDataInAnyWorld(t *testing.T) {
	const total = 8 << 20
	sent := pattern(total)
	for _, world := range []string{"task", "goroutine", "both"} {
		t.Run(world, func(t *testing.T) {
			inTask(t, func(t *testing.T, ctx context.Context) {
				conn, peer := connToNet(t, ctx)
				go func() {
					rest := sent
					for r := rand.New(rand.NewPCG(1, 2)); len(rest) > 0; {
						n, err := peer.Write(rest[:min(len(rest), 1+r.IntN(200_000))])
						if err != nil {
							return
						}
						rest = rest[n:]
					}
					_ = peer.CloseWrite()
				}()
				var got []byte
				r := rand.New(rand.NewPCG(3, 4))
				for {
					size, limit := 1+r.IntN(100_000), time.Time{}
					if r.IntN(4) == 0 {
						limit = time.Now().Add(time.Duration(r.IntN(200)) * time.Microsecond)
					}
					require.NoError(t, conn.SetReadDeadline(limit))
					read := func() outcome { return readOnce(conn, size) }
					var o outcome
					if world == "task" || world == "both" && r.IntN(2) == 0 {
						o = read()
					} else {
						o = inGoroutine(t, ctx, read)
					}
					got = append(got, o.data...)
					if o.err == io.EOF {
						break
					}
					if !errors.Is(o.err, os.ErrDeadlineExceeded) {
						require.NoError(t, o.err)
					}
				}
				require.True(t, bytes.Equal(sent, got), "%d bytes of %d have come", len(got), len(sent))
			})
		})
	}
}

// Tasks and goroutines write in turn, in pieces that stay whole.
func TestWritesStayWhole(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context) {
		conn, peer := connToNet(t, ctx)
		const writers, writes, size = 8, 50, 3000
		all := asyncio.CreateTask(ctx, func(ctx context.Context) ([]byte, error) { return testkit.ReadAll(t, ctx, peer), nil })
		err := asyncio.WithTaskGroup(ctx, func(_ context.Context, g *asyncio.TaskGroup) error {
			for i := range writers {
				write := func() error {
					for range writes {
						if _, err := conn.Write(bytes.Repeat([]byte{byte(i)}, size)); err != nil {
							return err
						}
					}
					return nil
				}
				g.Go(func(ctx context.Context) error {
					if i%2 == 0 {
						return write()
					}
					return inGoroutine(t, ctx, write)
				})
			}
			return nil
		})
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		got, err := all.Await(ctx)
		require.NoError(t, err)
		require.Len(t, got, writers*writes*size)
		for piece := got; len(piece) > 0; piece = piece[size:] {
			require.Equal(t, bytes.Repeat(piece[:1], size), piece[:size])
		}
	})
}

// Two tasks copy in both directions: each is held back by who reads its bytes.
func TestProxyOfCopies(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context) {
		left, client := connToNet(t, ctx)
		right, server := connToNet(t, ctx)
		for _, way := range [][2]net.Conn{{left, right}, {right, left}} {
			asyncio.CreateTask(ctx, func(context.Context) (asyncio.None, error) {
				_, err := io.Copy(way[1], way[0])
				_ = way[1].(interface{ CloseWrite() error }).CloseWrite()
				return asyncio.None{}, err
			})
		}
		sent := pattern(4 << 20)
		go func() { // the server shouts back all it hears
			_, _ = io.Copy(server, server)
			_ = server.CloseWrite()
		}()
		go func() {
			_, _ = client.Write(sent)
			_ = client.CloseWrite()
		}()
		require.True(t, bytes.Equal(sent, testkit.ReadAll(t, ctx, client)))
	})
}

// crypto/tls over conns in tasks: it holds a mutex around each write, so none waits in
// there. Several tasks write much, to a peer that reads late.
func TestCryptoTLSInTasks(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context) {
		l := testkit.LoopOf(ctx)
		ln := listen(t, ctx)
		config := testkit.Certs().ClientConfig()
		config.ServerName = "localhost"
		const writers, size = 5, 1 << 20
		serve := asyncio.CreateTask(ctx, func(ctx context.Context) (map[byte]int, error) {
			c, err := ln.Accept()
			if err != nil {
				return nil, err
			}
			secured := tls.Server(c, testkit.Certs().ServerConfig())
			defer secured.Close()
			if err := secured.HandshakeContext(ctx); err != nil {
				return nil, err
			}
			if err := asyncio.Sleep(ctx, 20*time.Millisecond); err != nil {
				return nil, err
			}
			counts := make(map[byte]int)
			for p := make([]byte, 32<<10); ; {
				n, err := secured.Read(p)
				for _, b := range p[:n] {
					counts[b]++
				}
				if err == io.EOF {
					return counts, nil
				}
				if err != nil {
					return nil, err
				}
			}
		})
		c, err := l.DialContext(ctx, "tcp", ln.Addr().String())
		require.NoError(t, err)
		secured := tls.Client(c, config)
		require.NoError(t, secured.HandshakeContext(ctx))
		reads := asyncio.CreateTask(ctx, func(context.Context) (outcome, error) { return readOnce(secured, 1), nil })
		err = asyncio.WithTaskGroup(ctx, func(_ context.Context, g *asyncio.TaskGroup) error {
			for i := range writers {
				g.Go(func(ctx context.Context) error {
					for range 4 {
						if _, err := secured.Write(bytes.Repeat([]byte{byte(i)}, size/4)); err != nil {
							return err
						}
						if err := asyncio.Sleep(ctx, 0); err != nil {
							return err
						}
					}
					return nil
				})
			}
			return nil
		})
		require.NoError(t, err)
		require.NoError(t, secured.CloseWrite())
		counts, err := serve.Await(ctx)
		require.NoError(t, err)
		require.Len(t, counts, writers)
		for b, n := range counts {
			require.Equal(t, size, n, b)
		}
		got, err := reads.Await(ctx)
		require.NoError(t, err)
		require.Equal(t, io.EOF, got.err)
		require.NoError(t, secured.Close())
	})
}

// A conn over TLS of the loop's own, which has another transport.
func TestConnOverTLS(t *testing.T) {
	worlds(t, func(t *testing.T, ctx context.Context, do func(fn func() outcome) outcome) {
		ln := listen(t, ctx, asyncio.WithTLS(testkit.Certs().ServerConfig()))
		peer := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
			return asyncio.ToThread(ctx, func(context.Context) (string, error) {
				config := testkit.Certs().ClientConfig()
				config.ServerName = "localhost"
				c, err := tls.Dial("tcp", ln.Addr().String(), config)
				if err != nil {
					return "", err
				}
				defer c.Close()
				fmt.Fprint(c, "hello")
				all, err := io.ReadAll(c)
				return string(all), err
			})
		})
		conn, err := ln.Accept()
		require.NoError(t, err)
		got := do(func() outcome {
			p := make([]byte, 5)
			_, err := io.ReadFull(conn, p)
			return outcome{string(p), err}
		})
		require.Equal(t, outcome{"hello", nil}, got)
		require.NoError(t, do(func() outcome {
			_, err := conn.Write([]byte("world"))
			return outcome{err: err}
		}).err)
		err = conn.(interface{ CloseWrite() error }).CloseWrite()
		require.ErrorIs(t, err, errors.ErrUnsupported, "as in asyncio, TLS ends both directions at once")
		require.NoError(t, conn.Close())
		said, err := peer.Await(ctx)
		require.NoError(t, err)
		require.Equal(t, "world", said)
	})
}

func TestDroppedConnIsClosed(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		log, logged := testkit.RecordLog()
		l := asynciotest.New(t, append(opts, logged)...)
		var peer *net.TCPConn
		asynciotest.InTask(t, l, func(ctx context.Context) {
			r, w, p := testkit.StreamToNet(t, ctx)
			_, err := asyncio.NetConn(r, w).Write([]byte("x"))
			require.NoError(t, err)
			peer = p
		})
		testkit.CollectUntil(t, l, func() bool { return len(log.Matching("unclosed StreamWriter")) > 0 })
		all, err := io.ReadAll(peer)
		require.NoError(t, err)
		require.Equal(t, "x", string(all))
	})
}
