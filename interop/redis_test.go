package interop_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// redisOptions is for a server at a Unix socket.
func redisOptions(socket string, dial func(ctx context.Context, network, address string) (net.Conn, error)) *redis.Options {
	return &redis.Options{
		Network: "unix", Addr: socket, Dialer: dial, MaxRetries: -1, ContextTimeoutEnabled: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

var errRedisConnLost = errors.New("the connection is lost; make another client")

// redisForTask is a client with one connection, for one task at a time. The pool of a
// client dials in a goroutine and waits for it, and so would hold the loop up; here the
// task dials, and the goroutine only takes what is there.
func redisForTask(ctx context.Context, l *asyncio.Loop, socket string) (*redis.Client, error) {
	dialled := make(chan net.Conn, 1)
	options := redisOptions(socket, func(context.Context, string, string) (net.Conn, error) {
		select {
		case conn := <-dialled:
			return conn, nil
		default:
			return nil, errRedisConnLost
		}
	})
	options.PoolSize, options.PipelinePoolSize, options.DialerRetries = 1, -1, 1
	conn, err := l.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	dialled <- conn
	c := redis.NewClient(options)
	if err := c.Ping(ctx).Err(); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

func TestRedis(t *testing.T) {
	redis.SetLogger(quiet{})
	socket := startRedis(t)
	t.Run("a pool of clients for tasks", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				p, err := newPool(ctx, conns, func(ctx context.Context) (*redis.Client, error) { return redisForTask(ctx, l, socket) })
				require.NoError(t, err)
				hundred(t, ctx, func(ctx context.Context, i int) error {
					return p.with(ctx, func(c *redis.Client) error {
						key := fmt.Sprint("key", i)
						if _, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
							p.Set(ctx, key, i, time.Minute)
							p.IncrBy(ctx, key, 1000)
							return nil
						}); err != nil {
							return err
						}
						if got, err := c.Get(ctx, key).Int(); err != nil || got != 1000+i {
							return fmt.Errorf("key %d is %d: %w", i, got, err)
						}
						return nil
					})
				})
				p.each(func(c *redis.Client) { require.NoError(t, c.Close()) })
			})
		})
	})
	t.Run("a connection that is lost is an error", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				c, err := redisForTask(ctx, l, socket)
				require.NoError(t, err)
				_ = c.Do(ctx, "client", "kill", "type", "normal", "skipme", "no").Err()
				_ = c.Ping(ctx).Err() // which finds that out
				require.ErrorIs(t, c.Ping(ctx).Err(), errRedisConnLost)
				require.NoError(t, c.Close())
			})
		})
	})
	t.Run("the client's own pool in goroutines", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				c := redis.NewClient(redisOptions(socket, l.DialContext))
				hundred(t, ctx, func(ctx context.Context, i int) error {
					_, err := asyncio.ToThread(ctx, func(ctx context.Context) (string, error) { return c.Echo(ctx, "x").Result() })
					if err == nil {
						err = asyncio.Sleep(ctx, 20*time.Millisecond)
					}
					return err
				})
				require.NoError(t, c.Close())
			})
		})
	})
	t.Run("the client's own pool in a task is told of", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			log, logged := testkit.RecordLog()
			l := asynciotest.New(t, append(opts, logged)...)
			l.SetSlowCallbackDuration(10 * time.Millisecond)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				c := redis.NewClient(redisOptions(socket, l.DialContext))
				limited, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				require.ErrorIs(t, c.Ping(limited).Err(), context.DeadlineExceeded)
				require.Len(t, log.Matching("blocks its loop"), 1)
				require.Len(t, log.Matching("a goroutine in DialContext"), 1)
				require.NoError(t, c.Close())
			})
		})
	})
}
