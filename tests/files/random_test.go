package files_test

// Random calls on a tree of files, by tasks and by package os beside them: both come to
// the same results, errors and trees.

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
)

// call is one call, drawn before it is made.
type call struct {
	op         string
	name, to   string
	flag       int
	n, off     int
	whence     int
	onOpenFile bool
}

var (
	callNames = []string{".", "a", "b", "c", "a/x", "a/y", "a/y/z", "b/x", "c/d/e", "none/x"}
	treeOps   = []string{"writeFile", "readFile", "mkdirAll", "remove", "rename", "stat", "readDir", "walk", "open"}
	fileOps   = []string{"read", "write", "readAt", "writeAt", "seek", "truncate", "fstat", "sync", "close"}
	openFlags = []int{
		os.O_RDONLY, os.O_RDWR | os.O_CREATE, os.O_WRONLY | os.O_CREATE | os.O_TRUNC, os.O_RDWR | os.O_CREATE | os.O_EXCL,
		os.O_WRONLY | os.O_APPEND | os.O_CREATE,
	}
)

func drawCalls(t *rapid.T) []call {
	calls := make([]call, rapid.IntRange(1, 60).Draw(t, "calls"))
	for i := range calls {
		c := call{
			name:   rapid.SampledFrom(callNames).Draw(t, "name"),
			to:     rapid.SampledFrom(callNames).Draw(t, "to"),
			flag:   rapid.SampledFrom(openFlags).Draw(t, "flag"),
			n:      rapid.SampledFrom([]int{0, 1, 10, 5000, 9000, 300_000}).Draw(t, "n"),
			off:    rapid.SampledFrom([]int{0, 1, 7, 6000, -1}).Draw(t, "off"),
			whence: rapid.IntRange(0, 3).Draw(t, "whence"),
		}
		c.op = rapid.SampledFrom(treeOps).Draw(t, "op")
		if c.onOpenFile = rapid.Bool().Draw(t, "on the open file"); c.onOpenFile {
			c.op = rapid.SampledFrom(fileOps).Draw(t, "op")
		}
		calls[i] = c
	}
	return calls
}

// walkInto notes where a walk comes along, and skips some.
func walkInto(seen *[]string) fs.WalkDirFunc {
	return func(path string, d fs.DirEntry, err error) error {
		*seen = append(*seen, fmt.Sprint(path, d != nil && d.IsDir(), err))
		switch {
		case err != nil && len(*seen)%2 == 0:
			return err
		case strings.HasSuffix(path, "y"), strings.HasSuffix(path, "b/x"):
			return fs.SkipDir
		case strings.HasSuffix(path, "c/d"):
			return fs.SkipAll
		}
		return nil
	}
}

// entriesOf is a list of a directory as text.
func entriesOf(entries []fs.DirEntry) string {
	var names []string
	for _, e := range entries {
		names = append(names, fmt.Sprint(e.Name(), e.IsDir()))
	}
	return strings.Join(names, ",")
}

func infoOf(info fs.FileInfo) string {
	if info == nil {
		return "none"
	}
	if info.IsDir() {
		return fmt.Sprint(info.Name(), info.Mode())
	}
	return fmt.Sprint(info.Name(), info.Mode(), info.Size())
}

// inTasks makes a call in a task. f is the open file, or nil.
func (c call) inTasks(ctx context.Context, dir string, f **asyncio.File) (any, error) {
	name, p := filepath.Join(dir, c.name), pattern(c.n)
	switch c.op {
	case "writeFile":
		return nil, asyncio.WriteFile(ctx, name, p, 0o640)
	case "readFile":
		data, err := asyncio.ReadFile(ctx, name)
		return string(data), err
	case "mkdirAll":
		return nil, asyncio.MkdirAll(ctx, name, 0o750)
	case "remove":
		return nil, asyncio.Remove(ctx, name)
	case "rename":
		return nil, asyncio.Rename(ctx, name, filepath.Join(dir, c.to))
	case "stat":
		info, err := asyncio.Stat(ctx, name)
		return infoOf(info), err
	case "readDir":
		entries, err := asyncio.ReadDir(ctx, name)
		return entriesOf(entries), err
	case "walk":
		var seen []string
		err := asyncio.WalkDir(ctx, name, walkInto(&seen))
		return strings.Join(seen, "\n"), err
	case "open":
		if *f != nil {
			_ = (*f).Close(ctx)
		}
		var err error
		*f, err = asyncio.OpenFile(ctx, name, c.flag, 0o640)
		return nil, err
	}
	if *f == nil {
		return nil, nil
	}
	switch c.op {
	case "read":
		n, err := (*f).Read(ctx, p)
		return string(p[:n]), err
	case "write":
		return result((*f).Write(ctx, p))
	case "readAt":
		n, err := (*f).ReadAt(ctx, p, int64(c.off))
		return string(p[:n]), err
	case "writeAt":
		return result((*f).WriteAt(ctx, p, int64(c.off)))
	case "seek":
		return result((*f).Seek(ctx, int64(c.off), c.whence))
	case "truncate":
		return nil, (*f).Truncate(ctx, int64(c.off))
	case "fstat":
		info, err := (*f).Stat(ctx)
		return infoOf(info), err
	case "sync":
		return nil, (*f).Sync(ctx)
	}
	return nil, (*f).Close(ctx)
}

// byOS is inTasks with package os.
func (c call) byOS(dir string, f **os.File) (any, error) {
	name, p := filepath.Join(dir, c.name), pattern(c.n)
	switch c.op {
	case "writeFile":
		return nil, os.WriteFile(name, p, 0o640)
	case "readFile":
		data, err := os.ReadFile(name)
		return string(data), err
	case "mkdirAll":
		return nil, os.MkdirAll(name, 0o750)
	case "remove":
		return nil, os.Remove(name)
	case "rename":
		return nil, os.Rename(name, filepath.Join(dir, c.to))
	case "stat":
		info, err := os.Stat(name)
		return infoOf(info), err
	case "readDir":
		entries, err := os.ReadDir(name)
		return entriesOf(entries), err
	case "walk":
		var seen []string
		err := filepath.WalkDir(name, walkInto(&seen))
		return strings.Join(seen, "\n"), err
	case "open":
		if *f != nil {
			_ = (*f).Close()
		}
		var err error
		*f, err = os.OpenFile(name, c.flag, 0o640)
		return nil, err
	}
	if *f == nil {
		return nil, nil
	}
	switch c.op {
	case "read":
		n, err := io.LimitReader(*f, 256<<10).Read(p)
		return string(p[:n]), err
	case "write":
		return result((*f).Write(p))
	case "readAt":
		n, err := (*f).ReadAt(p, int64(c.off))
		return string(p[:n]), err
	case "writeAt":
		return result((*f).WriteAt(p, int64(c.off)))
	case "seek":
		return result((*f).Seek(int64(c.off), c.whence))
	case "truncate":
		return nil, (*f).Truncate(int64(c.off))
	case "fstat":
		info, err := (*f).Stat()
		return infoOf(info), err
	case "sync":
		return nil, (*f).Sync()
	}
	return nil, (*f).Close()
}

// result is what a call that returns a number has returned.
func result[T any](v T, err error) (any, error) { return v, err }

// spelt is the outcome of a call, without the name of the tree.
func spelt(dir string, v any, err error) string {
	text := fmt.Sprint(v)
	if len(text) > 5000 {
		text = fmt.Sprint(len(text), text[:100], text[len(text)-100:])
	}
	return strings.ReplaceAll(fmt.Sprintf("%s, %v", text, err), dir, "TREE")
}

func TestRandomCallsAsPackageOS(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		rapid.Check(t, func(t *rapid.T) {
			calls := drawCalls(t)
			root, err := os.MkdirTemp("", "files")
			require.NoError(t, err)
			defer os.RemoveAll(root)
			ours, theirs := filepath.Join(root, "1", "tree"), filepath.Join(root, "2", "tree")
			for _, dir := range []string{ours, theirs} {
				require.NoError(t, os.MkdirAll(dir, 0o700))
			}
			var twin *os.File
			defer func() { _ = twin.Close() }()
			_, err = asyncio.RunUntilComplete(l, asyncio.Do(func(ctx context.Context) error {
				var f *asyncio.File
				defer func() {
					if f != nil {
						_ = f.Close(ctx)
					}
				}()
				for i, c := range calls {
					v, err := c.inTasks(ctx, ours, &f)
					got := spelt(ours, v, err)
					v, err = c.byOS(theirs, &twin)
					if want := spelt(theirs, v, err); got != want {
						return fmt.Errorf("call %d, %+v: %s, want %s", i, c, got, want)
					}
					if c.op == "close" { // package os does not always look first whether a file is closed
						f, twin = nil, nil
					}
				}
				return nil
			}))
			require.NoError(t, err)
			require.Equal(t, treeOf(t, theirs), treeOf(t, ours))
			require.Zero(t, l.Stats().Handles)
		})
	})
}

// treeOf is all of a tree.
func treeOf(t require.TestingT, dir string) map[string]string {
	tree := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			tree[""] = "gone"
			return nil
		}
		text := d.Type().String()
		if !d.IsDir() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += string(data)
		}
		tree[strings.TrimPrefix(path, dir)] = text
		return nil
	})
	require.NoError(t, err)
	return tree
}
