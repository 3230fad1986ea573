package streams_test

// Streams that bring much: the driver may leave it to the reader to take the bytes from
// the kernel.

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// randomBytes are n bytes that show a loss, a doubling or a wrong order.
func randomBytes(n int, random *rand.Rand) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

// sendCut has peer send data in pieces of random sizes and then close, or shut down with
// a reset.
func sendCut(peer *net.TCPConn, data []byte, random *rand.Rand, reset bool) (sent chan struct{}) {
	cuts := rand.New(rand.NewPCG(random.Uint64(), 0))
	sent = make(chan struct{})
	go func() {
		defer close(sent)
		defer peer.Close()
		for len(data) > 0 {
			n := min(len(data), 1+cuts.IntN(200_000)>>cuts.IntN(10))
			if _, err := peer.Write(data[:n]); err != nil {
				return // the reader's count tells
			}
			data = data[n:]
		}
		if reset {
			_ = peer.SetLinger(0)
		}
	}()
	return sent
}

// readSomehow reads in one of the ways there are. What ReadExactly got of a stream that
// ended counts too.
func readSomehow(ctx context.Context, r *asyncio.StreamReader, buf []byte, random *rand.Rand) ([]byte, error) {
	switch random.IntN(6) {
	case 0:
		n, err := r.Read(ctx, buf[:1+random.IntN(1000)])
		return buf[:n], err
	case 1:
		b, err := r.ReadExactly(ctx, random.IntN(300_000))
		return partial(b, err)
	case 2:
		b, err := r.ReadUntil(ctx, []byte{byte(random.Uint32())})
		return partial(b, err)
	default:
		n, err := r.Read(ctx, buf[:1+random.IntN(len(buf))])
		return buf[:n], err
	}
}

func partial(b []byte, err error) ([]byte, error) {
	var incomplete *asyncio.IncompleteReadError
	if errors.As(err, &incomplete) {
		return incomplete.Partial, io.EOF
	}
	return b, err
}

func TestStreamBulk(t *testing.T) {
	const total = 3 << 20
	t.Run("read in all ways", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				for seed := range uint64(6) {
					random := rand.New(rand.NewPCG(seed, 0))
					r, w, peer := testkit.StreamToNet(t, ctx)
					data, got, buf := randomBytes(total, random), []byte(nil), make([]byte, 128<<10)
					sent := sendCut(peer, data, random, false)
					for {
						b, err := readSomehow(ctx, r, buf, random)
						got = append(got, b...)
						if err != nil {
							require.ErrorIs(t, err, io.EOF)
							break
						}
						if random.IntN(4) == 0 {
							asynciotest.Yield(t, ctx, 1)
						}
					}
					<-sent
					require.True(t, bytes.Equal(data, got))
					require.NoError(t, w.Close())
					require.NoError(t, w.WaitClosed(ctx))
				}
			})
		})
	})
	t.Run("a cancelled Read has consumed nothing", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				random := rand.New(rand.NewPCG(1, 1))
				r, w, peer := testkit.StreamToNet(t, ctx)
				data, got, buf := randomBytes(total, random), []byte(nil), make([]byte, 64<<10)
				sent := sendCut(peer, data, random, false)
				for ended := false; !ended; {
					read := asyncio.CreateTask(ctx, func(ctx context.Context) ([]byte, error) {
						n, err := r.Read(ctx, buf)
						return buf[:n], err
					})
					for range random.IntN(4) {
						require.NoError(t, asyncio.Sleep(ctx, 0))
					}
					if random.IntN(2) == 0 {
						read.Cancel()
					}
					b, err := read.Await(ctx)
					got = append(got, b...)
					ended = err == io.EOF
					require.True(t, err == nil || ended || errors.Is(err, context.Canceled), "%v", err)
				}
				<-sent
				require.True(t, bytes.Equal(data, got))
				require.NoError(t, w.Close())
				require.NoError(t, w.WaitClosed(ctx))
			})
		})
	})
	t.Run("a reset ends it", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				for seed := range uint64(20) {
					random := rand.New(rand.NewPCG(seed, 2))
					r, w, peer := testkit.StreamToNet(t, ctx)
					data, n, buf := randomBytes(1<<20, random), 0, make([]byte, 64<<10)
					sent := sendCut(peer, data, random, true)
					for {
						k, err := r.Read(ctx, buf)
						require.True(t, bytes.Equal(data[n:n+k], buf[:k]))
						n += k
						if err == io.EOF { // libuv, if it sees the hang-up together with the last bytes
							break
						}
						if err != nil {
							requireReset(t, err)
							break
						}
					}
					<-sent
					require.NoError(t, w.Close())
				}
			})
		})
	})
	t.Run("one that fails before its reader has run", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				r, w, peer := testkit.StreamToNet(t, ctx)
				go func() { _, _ = io.Copy(peer, neverEnding{}) }()
				buf := make([]byte, 64<<10)
				for n := 0; n < 1<<20; { // until it counts as bulk
					k, err := r.Read(ctx, buf)
					require.NoError(t, err)
					n += k
				}
				broken := errors.New("broken")
				read := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
					for {
						if _, err := r.Read(ctx, buf); err != nil {
							return 0, err
						}
					}
				})
				asynciotest.Yield(t, ctx, 3)
				r.SetException(broken)
				_, err := read.Await(ctx)
				require.Equal(t, broken, err)
				w.Transport().Abort()
				require.NoError(t, w.WaitClosed(ctx))
			})
		})
	})
}

// Messages of all sizes, each answered before the next one comes: whether the reader
// takes them itself depends on their sizes.
func TestStreamMessages(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
			for seed := range uint64(4) {
				random := rand.New(rand.NewPCG(seed, 3))
				r, w, peer := testkit.StreamToNet(t, ctx)
				sent := make(chan error, 1)
				go func() {
					messages := rand.New(rand.NewPCG(seed, 4))
					for range 300 {
						message := randomBytes(1+messages.IntN(40_000)>>messages.IntN(8), messages)
						if _, err := peer.Write(message); err != nil {
							sent <- err
							return
						}
						answer := make([]byte, len(message))
						if _, err := io.ReadFull(peer, answer); err != nil || !bytes.Equal(message, answer) {
							sent <- errors.Join(errors.New("not the message"), err)
							return
						}
					}
					sent <- peer.CloseWrite()
				}()
				buf := make([]byte, 32<<10)
				for {
					room := 1 + random.IntN(len(buf))>>random.IntN(6)
					read := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return r.Read(ctx, buf[:room]) })
					if random.IntN(4) == 0 {
						asynciotest.Yield(t, ctx, random.IntN(3))
						read.Cancel()
					}
					n, err := read.Await(ctx)
					if errors.Is(err, context.Canceled) {
						continue
					}
					if err != nil {
						require.ErrorIs(t, err, io.EOF)
						break
					}
					for b := buf[:n]; len(b) > 0; { // in several pieces at times
						k := len(b)
						if random.IntN(3) == 0 {
							k = 1 + random.IntN(k)
						}
						_, err := w.Write(b[:k])
						require.NoError(t, err)
						b = b[k:]
					}
				}
				require.NoError(t, <-sent)
				require.NoError(t, w.Close())
				require.NoError(t, w.WaitClosed(ctx))
			}
		})
	})
}

// What comes after SetProtocol is for the new protocol, however much the reader has taken
// before.
func TestStreamBulkEndsWithSetProtocol(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			for seed := range uint64(20) {
				random := rand.New(rand.NewPCG(seed, 0))
				data := randomBytes(3<<20, random)
				r, w, peer := testkit.StreamToNet(t, ctx)
				sent := sendCut(peer, data, random, false)
				buf := make([]byte, 64<<10)
				var taken []byte
				take := func(ctx context.Context) error {
					n, err := r.Read(ctx, buf)
					taken = append(taken, buf[:n]...)
					return err
				}
				for range 12 { // most of them find that there is more
					require.NoError(t, take(ctx))
				}
				rest := testkit.NewTap(l)
				w.Transport().SetProtocol(rest)
				rest.Receive(t, ctx, 1)
				read := testkit.Start(ctx, func(ctx context.Context) (err error) {
					for err == nil {
						err = take(ctx) // what it has already
					}
					return err
				})
				_, err := rest.Lost.Await(ctx)
				require.NoError(t, err)
				require.False(t, read.Done(), "the end is the new protocol's, too")
				read.Cancel()
				asynciotest.Yield(t, ctx, 2)
				require.True(t, read.Cancelled())
				require.True(t, bytes.Equal(data, append(taken, rest.Received...)), "seed %d", seed)
				<-sent
				require.NoError(t, w.Close()) // a writer that is dropped closes its connection
			}
		})
	})
}

// neverEnding reads for ever.
type neverEnding struct{}

func (neverEnding) Read(p []byte) (int, error) { return len(p), nil }
