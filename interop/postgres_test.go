package interop_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// A pool that fits tasks: conns that nobody has wait in a Queue, and so do tasks that
// want one.
type pool[C any] struct{ idle *asyncio.Queue[C] }

// newPool makes n conns.
func newPool[C any](ctx context.Context, n int, dial func(ctx context.Context) (C, error)) (*pool[C], error) {
	p := &pool[C]{asyncio.NewQueue[C](n)}
	for range n {
		c, err := dial(ctx)
		if err != nil {
			return nil, err
		}
		if err := p.idle.PutNowait(c); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// with lends a conn to fn.
func (p *pool[C]) with(ctx context.Context, fn func(c C) error) error {
	c, err := p.idle.Get(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = p.idle.PutNowait(c) }()
	return fn(c)
}

// each calls fn for all conns, of which no task has one any more.
func (p *pool[C]) each(fn func(c C)) {
	for !p.idle.Empty() {
		c, _ := p.idle.GetNowait()
		fn(c)
	}
}

// pgConfig is for a server with its socket in dir, dialled on the loop.
func pgConfig(t *testing.T, l *asyncio.Loop, dir string) *pgx.ConnConfig {
	t.Helper()
	config, err := pgx.ParseConfig(fmt.Sprintf("host=%s user=test dbname=postgres sslmode=disable", dir))
	require.NoError(t, err)
	config.DialFunc = l.DialContext
	return config
}

const (
	tasks = 100
	conns = 10
)

// hundred runs 100 tasks, each with its number, and requires that another one goes on
// meanwhile.
func hundred(t *testing.T, ctx context.Context, work func(ctx context.Context, i int) error) {
	t.Helper()
	ticks := 0
	heart := asyncio.CreateTask(ctx, func(ctx context.Context) (asyncio.None, error) {
		for {
			ticks++
			if err := asyncio.Sleep(ctx, time.Millisecond); err != nil {
				return asyncio.None{}, err
			}
		}
	})
	err := asyncio.WithTaskGroup(ctx, func(_ context.Context, g *asyncio.TaskGroup) error {
		for i := range tasks {
			g.Go(func(ctx context.Context) error { return work(ctx, i) })
		}
		return nil
	})
	require.NoError(t, err)
	heart.Cancel()
	require.Greater(t, ticks, 1)
}

func TestPostgres(t *testing.T) {
	dir := startPostgres(t)
	t.Run("a pool of conns for tasks", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				config := pgConfig(t, l, dir)
				p, err := newPool(ctx, conns, func(ctx context.Context) (*pgx.Conn, error) { return pgx.ConnectConfig(ctx, config) })
				require.NoError(t, err)
				hundred(t, ctx, func(ctx context.Context, i int) error {
					return p.with(ctx, func(c *pgx.Conn) error {
						var got int
						err := c.QueryRow(ctx, "select $1::int * 2 from pg_sleep(0.01)", i).Scan(&got)
						if err == nil && got != 2*i {
							err = fmt.Errorf("2 x %d is %d", i, got)
						}
						return err
					})
				})
				p.each(func(c *pgx.Conn) { require.NoError(t, c.Close(ctx)) })
			})
		})
	})
	t.Run("much data, and transactions", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				c, err := pgx.ConnectConfig(ctx, pgConfig(t, l, dir))
				require.NoError(t, err)
				_, err = c.Exec(ctx, "create temp table words (n int, word text)")
				require.NoError(t, err)
				rows := pgx.CopyFromSlice(50_000, func(i int) ([]any, error) { return []any{i, fmt.Sprint("word number ", i)}, nil })
				n, err := asyncio.ToThread(ctx, func(ctx context.Context) (int64, error) { // CopyFrom waits for a goroutine of its own
					return c.CopyFrom(ctx, pgx.Identifier{"words"}, []string{"n", "word"}, rows)
				})
				require.NoError(t, err)
				require.EqualValues(t, 50_000, n)
				err = pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
					_, err := tx.Exec(ctx, "delete from words where n % 2 = 0")
					return err
				})
				require.NoError(t, err)
				found, err := c.Query(ctx, "select word from words order by n")
				require.NoError(t, err)
				words, err := pgx.CollectRows(found, pgx.RowTo[string])
				require.NoError(t, err)
				require.Len(t, words, 25_000)
				require.Equal(t, "word number 49999", words[24_999])
				require.NoError(t, c.Close(ctx))
			})
		})
	})
	t.Run("a task that is cancelled ends its query", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				c, err := pgx.ConnectConfig(ctx, pgConfig(t, l, dir))
				require.NoError(t, err)
				err = asyncio.Timeout(ctx, 20*time.Millisecond, func(ctx context.Context) error {
					_, err := c.Exec(ctx, "select pg_sleep(100)")
					return err
				})
				require.Error(t, err) // of pgx's own
				require.True(t, c.IsClosed(), "pgx closes a conn whose query was given up")
			})
		})
	})
	t.Run("database/sql with a conn for each task", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				db := stdlib.OpenDB(*pgConfig(t, l, dir))
				p, err := newPool(ctx, conns, db.Conn)
				require.NoError(t, err)
				hundred(t, ctx, func(ctx context.Context, i int) error {
					return p.with(ctx, func(c *sql.Conn) error {
						var got int
						err := c.QueryRowContext(ctx, "select $1::int + 1 from pg_sleep(0.01)", i).Scan(&got)
						if err == nil && got != i+1 {
							err = fmt.Errorf("%d + 1 is %d", i, got)
						}
						return err
					})
				})
				p.each(func(c *sql.Conn) { require.NoError(t, c.Close()) })
				require.NoError(t, db.Close())
			})
		})
	})
	t.Run("pgxpool in goroutines", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				p := newPgxpool(t, ctx, l, dir)
				hundred(t, ctx, func(ctx context.Context, i int) error {
					_, err := asyncio.ToThread(ctx, func(ctx context.Context) (asyncio.None, error) {
						_, err := p.Exec(ctx, "select pg_sleep(0.01)")
						return asyncio.None{}, err
					})
					return err
				})
				_, err := asyncio.ToThread(ctx, func(context.Context) (asyncio.None, error) {
					p.Close()
					return asyncio.None{}, nil
				})
				require.NoError(t, err)
			})
		})
	})
	t.Run("pgxpool in a task is told of", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			log, logged := testkit.RecordLog()
			l := asynciotest.New(t, append(opts, logged)...)
			l.SetSlowCallbackDuration(10 * time.Millisecond)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				p := newPgxpool(t, ctx, l, dir)
				limited, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				_, err := p.Exec(limited, "select 1") // waits for a goroutine that waits for the loop
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Len(t, log.Matching("blocks its loop"), 1)
				require.Len(t, log.Matching("a goroutine in DialContext"), 1)
				_, err = asyncio.ToThread(ctx, func(context.Context) (asyncio.None, error) {
					p.Close()
					return asyncio.None{}, nil
				})
				require.NoError(t, err)
			})
		})
	})
}

func newPgxpool(t *testing.T, ctx context.Context, l *asyncio.Loop, dir string) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(fmt.Sprintf("pool_max_conns=%d", conns))
	require.NoError(t, err)
	config.ConnConfig = pgConfig(t, l, dir)
	p, err := pgxpool.NewWithConfig(ctx, config)
	require.NoError(t, err)
	return p
}
