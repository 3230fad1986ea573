// Command asyncio starts children and reads files in tasks: asyncio SECONDS.
// ASYNCIO_DRIVER=purego in the environment makes it run without libuv.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/bench/internal/cost"
)

const (
	children = 10
	readers  = 10
)

func main() {
	small, large := cost.File(4<<10), cost.File(1<<20)
	defer os.Remove(small)
	defer os.Remove(large)
	l, err := asyncio.NewEventLoop()
	cost.Check(err)
	in := func(do func(ctx context.Context, n int) error) func(n int) {
		return func(n int) {
			_, err := asyncio.RunUntilComplete(l, asyncio.Do(func(ctx context.Context) error { return do(ctx, n) }))
			cost.Check(err)
		}
	}
	cost.Main(
		cost.Work{Name: "a child", Do: in(one), From: 20},
		cost.Work{Name: "a child of ten at once", Do: in(ten), From: 20},
		cost.Work{Name: "64 KiB from a child", Do: in(output), From: 100},
		cost.Work{Name: "a file of 4 KiB", Do: in(read(small)), From: 100},
		cost.Work{Name: "a file of 1 MiB", Do: in(read(large)), From: 100},
	)
	cost.Check(l.Close())
}

var (
	errChild = errors.New("the child has failed")
	errShort = errors.New("a file is too short")
)

func one(ctx context.Context, n int) error {
	for range n {
		p, err := asyncio.CreateSubprocess(ctx, asyncio.ProcessOptions{Args: []string{"/bin/true"}})
		if err != nil {
			return err
		}
		if code, err := p.Wait(ctx); code != 0 || err != nil {
			return errors.Join(errChild, err)
		}
	}
	return nil
}

// atOnce runs fn in count tasks.
func atOnce(ctx context.Context, count int, fn func(ctx context.Context) error) error {
	coroutines := make([]asyncio.Awaitable[asyncio.None], count)
	for i := range coroutines {
		coroutines[i] = asyncio.Do(fn)
	}
	_, err := asyncio.Gather(ctx, coroutines...).Await(ctx)
	return err
}

func ten(ctx context.Context, n int) error {
	for ; n > 0; n -= children {
		if err := atOnce(ctx, children, func(ctx context.Context) error { return one(ctx, 1) }); err != nil {
			return err
		}
	}
	return nil
}

// output reads n pieces that a child writes.
func output(ctx context.Context, n int) error {
	p, err := asyncio.CreateSubprocess(ctx, asyncio.ProcessOptions{
		Args: []string{"head", "-c", strconv.Itoa(n << 16), "/dev/zero"}, Stdout: asyncio.Stdio{Kind: asyncio.Pipe},
	})
	if err != nil {
		return err
	}
	b := make([]byte, 64<<10)
	for all := 0; ; {
		k, err := p.Stdout.Read(ctx, b)
		all += k
		if err == io.EOF && all == n<<16 {
			break
		}
		if err != nil {
			return err
		}
	}
	if code, err := p.Wait(ctx); code != 0 || err != nil {
		return errors.Join(errChild, err)
	}
	return nil
}

// read has ten tasks, each of which reads the file as often.
func read(name string) func(ctx context.Context, n int) error {
	return func(ctx context.Context, n int) error {
		return atOnce(ctx, readers, func(ctx context.Context) error {
			for range n / readers {
				b, err := asyncio.ReadFile(ctx, name)
				if err != nil {
					return err
				}
				if len(b) < 4<<10 {
					return errShort
				}
			}
			return nil
		})
	}
}
