package files_test

// Files and their calls.

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// pattern repeats with a prime period, so that bytes out of place show.
func pattern(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i % 251)
	}
	return data
}

func open(t *testing.T, ctx context.Context, name string, flag int) *asyncio.File {
	t.Helper()
	f, err := asyncio.OpenFile(ctx, name, flag, 0o600)
	require.NoError(t, err)
	return f
}

func closeFile(t *testing.T, ctx context.Context, f *asyncio.File) {
	t.Helper()
	require.NoError(t, f.Close(ctx))
}

func TestFile(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		name := filepath.Join(t.TempDir(), "f")
		f, err := asyncio.Create(ctx, name)
		require.NoError(t, err)
		require.Equal(t, name, f.Name())
		require.Equal(t, 1, l.Stats().Handles)
		n, err := f.Write(ctx, []byte("hello, world"))
		require.NoError(t, err)
		require.Equal(t, 12, n)
		at, err := f.Seek(ctx, -5, io.SeekEnd)
		require.NoError(t, err)
		require.EqualValues(t, 7, at)
		p := make([]byte, 100)
		n, err = f.Read(ctx, p)
		require.NoError(t, err)
		require.Equal(t, "world", string(p[:n]))
		n, err = f.Read(ctx, p)
		require.Equal(t, io.EOF, err)
		require.Zero(t, n)
		n, err = f.ReadAt(ctx, p, 7)
		require.Equal(t, io.EOF, err)
		require.Equal(t, "world", string(p[:n]))
		n, err = f.ReadAt(ctx, p[:5], 0)
		require.NoError(t, err)
		require.Equal(t, "hello", string(p[:n]))
		_, err = f.ReadAt(ctx, p, -1)
		require.ErrorContains(t, err, "negative offset")
		_, err = f.WriteAt(ctx, p, -1)
		require.ErrorContains(t, err, "negative offset")
		n, err = f.WriteAt(ctx, []byte("W"), 7)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.NoError(t, f.Sync(ctx))
		require.NoError(t, f.Truncate(ctx, 8))
		info, err := f.Stat(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 8, info.Size())
		at, err = f.Seek(ctx, 0, io.SeekCurrent)
		require.NoError(t, err)
		require.EqualValues(t, 12, at, "neither ReadAt nor Truncate has moved it")
		closeFile(t, ctx, f)
		require.Zero(t, l.Stats().Handles)

		data, err := asyncio.ReadFile(ctx, name)
		require.NoError(t, err)
		require.Equal(t, "hello, W", string(data))
		f, err = asyncio.Open(ctx, name)
		require.NoError(t, err)
		_, err = f.Write(ctx, []byte("x"))
		require.ErrorContains(t, err, "write "+name+": ")
		closeFile(t, ctx, f)
	})
}

func TestFileAfterClose(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		name := filepath.Join(t.TempDir(), "f")
		f := open(t, ctx, name, os.O_RDWR|os.O_CREATE)
		twin, err := os.Open(name)
		require.NoError(t, err)
		closeFile(t, ctx, f)
		require.NoError(t, twin.Close())
		p := make([]byte, 1)
		same := func(err, want error) {
			require.ErrorIs(t, err, os.ErrClosed)
			require.Equal(t, want.Error(), err.Error(), "it is package os's error")
		}
		_, want := twin.Read(p)
		_, err = f.Read(ctx, p)
		same(err, want)
		_, want = twin.ReadAt(p, 0)
		_, err = f.ReadAt(ctx, p, 0)
		same(err, want)
		_, want = twin.Write(p)
		_, err = f.Write(ctx, p)
		same(err, want)
		_, want = twin.WriteAt(p, 0)
		_, err = f.WriteAt(ctx, p, 0)
		same(err, want)
		_, want = twin.Seek(0, 0)
		_, err = f.Seek(ctx, 0, 0)
		same(err, want)
		_, err = f.Stat(ctx)
		require.ErrorIs(t, err, os.ErrClosed)
		same(f.Sync(ctx), twin.Sync())
		same(f.Truncate(ctx, 0), twin.Truncate(0))
		same(f.Close(ctx), twin.Close())
		require.Zero(t, l.Stats().Handles)
	})
}

// Sizes around the pieces in which memory is copied.
func TestFileSizes(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, _ *asyncio.Loop) {
		dir := t.TempDir()
		for _, size := range []int{0, 1, 8 << 10, 8<<10 + 1, 256 << 10, 256<<10 + 1, 1<<20 + 17} {
			name := filepath.Join(dir, fmt.Sprint(size))
			data := pattern(size)
			require.NoError(t, asyncio.WriteFile(ctx, name, data, 0o600))
			got, err := asyncio.ReadFile(ctx, name)
			require.NoError(t, err)
			require.True(t, bytes.Equal(data, got), size)

			f := open(t, ctx, name+"x", os.O_RDWR|os.O_CREATE)
			n, err := f.Write(ctx, data)
			require.NoError(t, err)
			require.Equal(t, size, n)
			n, err = f.WriteAt(ctx, data, int64(size))
			require.NoError(t, err)
			require.Equal(t, size, n)
			got = make([]byte, 2*size)
			n, err = f.ReadAt(ctx, got, 0)
			require.NoError(t, err)
			require.Equal(t, 2*size, n)
			require.True(t, bytes.Equal(data, got[:size]) && bytes.Equal(data, got[size:]), size)
			n, err = f.ReadAt(ctx, make([]byte, size+1), int64(size))
			require.Equal(t, io.EOF, err)
			require.Equal(t, size, n)
			_, err = f.Seek(ctx, 0, io.SeekStart)
			require.NoError(t, err)
			for read := 0; read < 2*size; {
				n, err := f.Read(ctx, got[read:])
				require.NoError(t, err)
				require.Positive(t, n)
				read += n
			}
			require.True(t, bytes.Equal(data, got[:size]) && bytes.Equal(data, got[size:]), size)
			closeFile(t, ctx, f)
		}
	})
}

// Tasks that share a file: what uses the position is done in the order of the calls.
func TestFileOfManyTasks(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, _ *asyncio.Loop) {
		const tasks, lines = 20, 20
		name := filepath.Join(t.TempDir(), "f")
		f := open(t, ctx, name, os.O_RDWR|os.O_CREATE)
		var want strings.Builder
		var all []asyncio.Awaitable[asyncio.None]
		for i := range tasks {
			all = append(all, testkit.Start(ctx, func(ctx context.Context) error {
				for j := range lines {
					line := fmt.Sprintf("%d of task %d\n", j, i)
					want.WriteString(line)
					if _, err := f.Write(ctx, []byte(line)); err != nil {
						return err
					}
				}
				return nil
			}))
		}
		for i := range tasks {
			all = append(all, testkit.Start(ctx, func(ctx context.Context) error {
				_, err := f.WriteAt(ctx, []byte{byte(i)}, int64(1<<20+i))
				return err
			}))
		}
		_, err := asyncio.Gather(ctx, all...).Await(ctx)
		require.NoError(t, err)
		got := make([]byte, want.Len())
		_, err = f.ReadAt(ctx, got, 0)
		require.NoError(t, err)
		require.Equal(t, want.String(), string(got))
		got = got[:tasks]
		_, err = f.ReadAt(ctx, got, 1<<20)
		require.NoError(t, err)
		for i, b := range got {
			require.EqualValues(t, i, b)
		}
		closeFile(t, ctx, f)
	})
}

func TestFilesAtOnce(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		const tasks = 500
		dir := t.TempDir()
		err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
			for i := range tasks {
				tg.Go(func(ctx context.Context) error {
					name := filepath.Join(dir, fmt.Sprint(i))
					if err := asyncio.WriteFile(ctx, name, pattern(i), 0o600); err != nil {
						return err
					}
					f, err := asyncio.Open(ctx, name)
					if err != nil {
						return err
					}
					p := make([]byte, i)
					if _, err = f.ReadAt(ctx, p, 0); err == nil && !bytes.Equal(p, pattern(i)) {
						err = fmt.Errorf("%s has other bytes", name)
					}
					if err := f.Close(ctx); err != nil {
						return err
					}
					return err
				})
			}
			return nil
		})
		require.NoError(t, err)
		require.Zero(t, l.Stats().Handles)
	})
}

func TestFilesNeedATask(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, _ *asyncio.Loop) {
		name := filepath.Join(t.TempDir(), "f")
		f := open(t, ctx, name, os.O_RDWR|os.O_CREATE)
		testkit.OnGoroutine(func() {
			for _, ctx := range []context.Context{context.Background(), ctx} {
				for what, err := range map[string]error{
					"Close":   f.Close(ctx),
					"Sync":    f.Sync(ctx),
					"Remove":  asyncio.Remove(ctx, name),
					"WalkDir": asyncio.WalkDir(ctx, name, func(string, fs.DirEntry, error) error { return nil }),
				} {
					if err == nil || !strings.Contains(err.Error(), asyncio.ErrNotCurrentTask.Error()) {
						t.Errorf("%s outside of a task: %v", what, err)
					}
				}
			}
		})
		//lint:ignore SA1012 it must panic
		testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { _, _ = asyncio.Open(nil, name) })
		testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { _ = asyncio.WalkDir(ctx, name, nil) })
		closeFile(t, ctx, f)
	})
	t.Run("another loop's", func(t *testing.T) {
		asynciotest.VerifyNoLeaks(t)
		name := filepath.Join(t.TempDir(), "f")
		require.NoError(t, os.WriteFile(name, nil, 0o600))
		l := asynciotest.New(t)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			f := open(t, ctx, name, os.O_RDONLY)
			testkit.OnGoroutine(func() {
				_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error { return f.Close(ctx) }))
				if err == nil || !strings.Contains(err.Error(), asyncio.ErrWrongLoop.Error()) {
					t.Errorf("Close in another loop: %v", err)
				}
			})
			closeFile(t, ctx, f)
		})
	})
}
