package files_test

// WatchFiles. On systems that tell nothing by themselves each change takes half a second
// to be told; the tests wait for it.

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func watch(t *testing.T, ctx context.Context, paths ...string) *asyncio.FileWatcher {
	t.Helper()
	w, err := asyncio.WatchFiles(ctx, paths...)
	require.NoError(t, err)
	return w
}

func closeWatcher(t *testing.T, w *asyncio.FileWatcher) {
	t.Helper()
	require.NoError(t, w.Close())
	require.ErrorIs(t, w.Close(), fs.ErrClosed)
}

// next is the next change, of which more may be told as changed.
func next(t *testing.T, ctx context.Context, w *asyncio.FileWatcher) asyncio.FileChange {
	t.Helper()
	c, err := w.Next(ctx)
	require.NoError(t, err)
	return c
}

// told requires that changes are told, in this order, and in between nothing but that a
// file that was told before has changed.
func told(t *testing.T, ctx context.Context, w *asyncio.FileWatcher, changes ...asyncio.FileChange) {
	t.Helper()
	for _, want := range changes {
		c := next(t, ctx, w)
		for c.Op == asyncio.FileChanged && c != want {
			c = next(t, ctx, w)
		}
		require.Equal(t, want, c)
	}
}

func put(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	require.NoError(t, os.Rename(from, to))
}

func remove(t *testing.T, name string) {
	t.Helper()
	require.NoError(t, os.RemoveAll(name))
}

func created(name string) asyncio.FileChange {
	return asyncio.FileChange{Name: name, Op: asyncio.FileCreated}
}

func changed(name string) asyncio.FileChange {
	return asyncio.FileChange{Name: name, Op: asyncio.FileChanged}
}

func renamed(from, to string) asyncio.FileChange {
	return asyncio.FileChange{Name: to, Op: asyncio.FileRenamed, From: from}
}

func removed(name string) asyncio.FileChange {
	return asyncio.FileChange{Name: name, Op: asyncio.FileRemoved}
}

func TestWatchDirectory(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		dir := t.TempDir()
		in := func(name string) string { return filepath.Join(dir, name) }
		put(t, in("old"), "")
		w := watch(t, ctx, dir)
		require.Equal(t, 1, l.Stats().Handles)
		put(t, in("new"), "")
		told(t, ctx, w, created(in("new")))
		put(t, in("new"), "text")
		told(t, ctx, w, changed(in("new")))
		require.NoError(t, os.Chmod(in("old"), 0o400))
		told(t, ctx, w, changed(in("old")))
		rename(t, in("old"), in("older"))
		told(t, ctx, w, renamed(in("old"), in("older")))
		rename(t, in("new"), in("older"))
		told(t, ctx, w, renamed(in("new"), in("older")))
		remove(t, in("older"))
		told(t, ctx, w, removed(in("older")))
		require.NoError(t, os.Mkdir(in("sub"), 0o700))
		told(t, ctx, w, created(in("sub")))
		put(t, in("sub/below"), "not told")
		rename(t, in("sub"), in("sub2"))
		told(t, ctx, w, renamed(in("sub"), in("sub2")))
		rename(t, in("sub2/below"), in("above"))
		told(t, ctx, w, created(in("above")))
		rename(t, in("above"), in("sub2/below"))
		told(t, ctx, w, removed(in("above")))
		closeWatcher(t, w)
		require.Zero(t, l.Stats().Handles)
	})
}

// The ways in which editors write a file.
func TestWatchFileThatIsReplaced(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, _ *asyncio.Loop) {
		dir := t.TempDir()
		name, other := filepath.Join(dir, "file"), filepath.Join(dir, "other")
		put(t, name, "text")
		w := watch(t, ctx, name)
		for range 3 {
			put(t, other, "not told")
			rename(t, other, name)
			told(t, ctx, w, changed(name))
			rename(t, name, name+"~")
			put(t, name, "anew")
			remove(t, name+"~")
			for c := next(t, ctx, w); c != changed(name); c = next(t, ctx, w) {
				require.Contains(t, []asyncio.FileChange{renamed(name, name+"~"), removed(name), created(name)}, c)
			}
			put(t, name, "in place")
			told(t, ctx, w, changed(name))
			remove(t, name)
			told(t, ctx, w, removed(name))
			put(t, name, "again")
			told(t, ctx, w, created(name))
			rename(t, name, other)
			told(t, ctx, w, renamed(name, other))
			rename(t, other, name)
			told(t, ctx, w, created(name))
		}
		closeWatcher(t, w)
	})
}

func TestWatchSeveral(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	inTask(t, func(t *testing.T, ctx context.Context, _ *asyncio.Loop) {
		require.NoError(t, os.MkdirAll("a/b", 0o700))
		w := watch(t, ctx, "missing", "./a", filepath.Join(dir, "a", "b", "file"), "a/named")
		for _, change := range []asyncio.FileChange{
			created("missing"), created("a/x"), created("a/named"), created(filepath.Join(dir, "a", "b", "file")),
		} {
			put(t, change.Name, "")
			told(t, ctx, w, change)
		}
		put(t, "a/b/y", "not told")
		put(t, "z", "not told")
		rename(t, "missing", "found")
		told(t, ctx, w, renamed("missing", "found"))
		closeWatcher(t, w)
		remove(t, "a")
		remove(t, "found")
		remove(t, "z")
	})
}

func TestWatchDirectoryThatGoes(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, dir string){
		"removed": remove,
		"renamed": func(t *testing.T, dir string) { rename(t, dir, dir+"2") },
	} {
		t.Run(name, func(t *testing.T) {
			inTask(t, func(t *testing.T, ctx context.Context, _ *asyncio.Loop) {
				dir := filepath.Join(t.TempDir(), "dir")
				require.NoError(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o700))
				put(t, filepath.Join(dir, "file"), "")
				w := watch(t, ctx, dir)
				end(t, dir)
				told(t, ctx, w, removed(filepath.Join(dir, "file")), removed(filepath.Join(dir, "sub")), removed(dir))
				_, err := w.Next(ctx)
				require.ErrorIs(t, err, fs.ErrNotExist)
				closeWatcher(t, w)
				_, err = w.Next(ctx)
				require.ErrorIs(t, err, fs.ErrClosed)
			})
		})
	}
}

func TestWatchThatNobodyReads(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, _ *asyncio.Loop) {
		const room, files = 1024, 1500
		dir := t.TempDir()
		w := watch(t, ctx, dir)
		for i := range files {
			put(t, filepath.Join(dir, fmt.Sprint(i)), "")
		}
		require.NoError(t, asynciotest.Until(ctx, func() bool { return strings.Contains(w.String(), fmt.Sprintf("waiting=%d", room)) }))
		put(t, filepath.Join(dir, "last"), "")
		for seen := 0; ; seen++ {
			c := next(t, ctx, w)
			if c == (asyncio.FileChange{Op: asyncio.ChangesLost}) {
				require.Zero(t, seen, "it comes first")
			}
			if c.Name == filepath.Join(dir, "last") {
				break
			}
		}
		closeWatcher(t, w)
	})
}

func TestWatchEnds(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		dir := t.TempDir()
		w := watch(t, ctx, dir)
		var all []asyncio.FileChange
		ranged := testkit.Start(ctx, func(ctx context.Context) error {
			for c, err := range w.Changes(ctx) {
				if err != nil {
					return err
				}
				all = append(all, c)
			}
			return nil
		})
		asynciotest.Yield(t, ctx, 1)
		waits := asyncio.CreateTask(ctx, w.Next)
		asynciotest.Yield(t, ctx, 1)
		waits.Cancel()
		_, err := waits.Await(ctx)
		require.ErrorIs(t, err, asyncio.ErrCancelled)
		put(t, filepath.Join(dir, "1"), "")
		require.NoError(t, asynciotest.Until(ctx, func() bool { return len(all) > 0 }))
		waits = asyncio.CreateTask(ctx, w.Next)
		asynciotest.Yield(t, ctx, 3)
		closeWatcher(t, w)
		_, err = ranged.Await(ctx)
		require.NoError(t, err)
		require.Equal(t, created(filepath.Join(dir, "1")), all[0])
		_, err = waits.Await(ctx)
		require.ErrorIs(t, err, fs.ErrClosed)
		require.Zero(t, l.Stats().Handles)

		for turns := range 20 {
			begins := asyncio.CreateTask(ctx, func(ctx context.Context) (*asyncio.FileWatcher, error) { return asyncio.WatchFiles(ctx, dir) })
			asynciotest.Yield(t, ctx, turns)
			begins.Cancel()
			if w, err := begins.Await(ctx); err == nil {
				closeWatcher(t, w)
			}
		}
		require.NoError(t, asynciotest.Until(ctx, func() bool { return l.Stats().Handles == 0 }))
	})
	t.Run("with the loop", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			asynciotest.VerifyNoLeaks(t)
			log, logged := testkit.RecordLog()
			l, err := asyncio.NewEventLoop(append(opts, asyncio.WithDebug(true), logged)...)
			require.NoError(t, err)
			dir := t.TempDir()
			asynciotest.InTask(t, l, func(ctx context.Context) {
				watch(t, ctx, dir)
				put(t, filepath.Join(dir, "f"), "")
			})
			require.NoError(t, l.Close())
			require.Len(t, log.Matching("unclosed FileWatcher"), 1)
		})
	})
}

func TestWatchRefuses(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		dir := t.TempDir()
		put(t, filepath.Join(dir, "file"), "")
		for _, path := range []string{"", filepath.Join(dir, "none", "file"), filepath.Join(dir, "\x00", "x")} {
			_, err := asyncio.WatchFiles(ctx, dir, path)
			require.Error(t, err, "%q", path)
			if !strings.Contains(path, "\x00") {
				require.ErrorIs(t, err, fs.ErrNotExist, "%q", path)
			}
		}
		_, err := asyncio.WatchFiles(ctx, filepath.Join(dir, "file", "x"))
		require.ErrorContains(t, err, "not a directory")
		_, err = asyncio.WatchFiles(ctx, filepath.Join(dir, strings.Repeat("x", 300)))
		require.ErrorIs(t, err, syscall.ENAMETOOLONG, "what cannot be looked at is no missing file")
		_, err = asyncio.WatchFiles(ctx)
		require.ErrorIs(t, err, asyncio.ErrInvalidArgument)
		require.Zero(t, l.Stats().Handles)
	})
}

// Random changes, told in whatever pieces: whoever hears of them knows in the end what
// there is.
func TestWatchRandom(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, _ *asyncio.Loop) {
		for seed := range uint64(4) {
			random := rand.New(rand.NewPCG(seed, 2))
			dir := t.TempDir()
			names := []string{"a", "b", "c", "d", "e"}
			for _, name := range names[:2] {
				put(t, filepath.Join(dir, name), "")
			}
			w := watch(t, ctx, dir)
			known := map[string]bool{"a": true, "b": true}
			steps := testkit.Start(ctx, func(ctx context.Context) error {
				for range 200 {
					randomStep(random, dir, names)
					if random.IntN(3) == 0 {
						if err := asyncio.Sleep(ctx, time.Millisecond); err != nil {
							return err
						}
					}
				}
				return nil
			})
			heard := testkit.Start(ctx, func(ctx context.Context) error {
				for c, err := range w.Changes(ctx) {
					if err != nil {
						return err
					}
					if c.Op == asyncio.FileRemoved {
						delete(known, filepath.Base(c.Name))
					} else {
						known[filepath.Base(c.Name)] = true
					}
					if c.Op == asyncio.FileRenamed {
						delete(known, filepath.Base(c.From))
					}
				}
				return nil
			})
			_, err := steps.Await(ctx)
			require.NoError(t, err)
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			var want []string
			for _, e := range entries {
				want = append(want, e.Name())
			}
			require.NoError(t, asynciotest.Until(ctx, func() bool { return slices.Equal(want, slices.Sorted(maps.Keys(known))) }), "seed %d", seed)
			closeWatcher(t, w)
			_, err = heard.Await(ctx)
			require.NoError(t, err)
		}
	})
}

// randomStep does something in the directory, if it can.
func randomStep(random *rand.Rand, dir string, names []string) {
	name := filepath.Join(dir, names[random.IntN(len(names))])
	other := filepath.Join(dir, names[random.IntN(len(names))])
	switch random.IntN(4) {
	case 0, 1:
		_ = os.WriteFile(name, []byte(fmt.Sprint(random.Int())), 0o600)
	case 2:
		_ = os.Rename(name, other)
	case 3:
		_ = os.Remove(name)
	}
}
