// Files shows how a task works with files while others go on: asyncio has nothing for
// that, and sends its users to to_thread.
//
// The calls are package os's with a context first. Each suspends its task until a
// goroutine beside the loop has done it. So a tree is copied by many tasks at once; a
// Semaphore bounds them, because every copy has two files open. If one of them fails, the
// TaskGroup cancels the others, and what they had open is closed.
//
//	go run ./examples/files            # makes a tree, and copies it
//	go run ./examples/files FROM TO    # copies another one
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed-a026a017/asyncio"
)

const (
	copiesMax   = 16
	bufferBytes = 64 << 10
)

func main() {
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		if len(os.Args) == 3 {
			_, err := copyTree(ctx, os.Args[1], os.Args[2])
			return err
		}
		return show(ctx)
	}))
	if err != nil {
		fmt.Fprintln(os.Stderr, "files:", err)
		os.Exit(1)
	}
}

// stats is what was copied. The tasks share it without a lock.
type stats struct{ dirs, files, bytes, atOnce, mostAtOnce int }

// copyTree copies the tree at from to a directory that it makes.
func copyTree(ctx context.Context, from, to string) (*stats, error) {
	s := new(stats)
	places := asyncio.NewSemaphore(copiesMax)
	err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
		return asyncio.WalkDir(ctx, from, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			name, err := filepath.Rel(from, path)
			if err != nil {
				return err
			}
			target := filepath.Join(to, name)
			switch {
			case d.IsDir():
				s.dirs++
				return asyncio.MkdirAll(ctx, target, 0o755)
			case d.Type().IsRegular():
				tg.Go(func(ctx context.Context) error {
					return places.With(ctx, func() error { return s.copyFile(ctx, path, target) })
				})
			}
			return nil // links and the like stay behind
		})
	})
	return s, err
}

// copyFile copies a file piece by piece.
func (s *stats) copyFile(ctx context.Context, from, to string) (err error) {
	s.atOnce++
	s.mostAtOnce = max(s.mostAtOnce, s.atOnce)
	defer func() { s.atOnce-- }()
	in, err := asyncio.Open(ctx, from)
	if err != nil {
		return err
	}
	defer in.Close(ctx)
	info, err := in.Stat(ctx)
	if err != nil {
		return err
	}
	out, err := asyncio.OpenFile(ctx, to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, info.Mode().Perm())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close(ctx)) }() // a full disk may show here
	buf := make([]byte, bufferBytes)
	for {
		n, err := in.Read(ctx, buf)
		if err == io.EOF {
			s.files++
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := out.Write(ctx, buf[:n]); err != nil {
			return err
		}
		s.bytes += n
	}
}

// show makes a tree, copies it, and compares.
func show(ctx context.Context) error {
	tmp, err := asyncio.ToThread(ctx, func(context.Context) (string, error) { return os.MkdirTemp("", "files-*") })
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	from, to := filepath.Join(tmp, "from"), filepath.Join(tmp, "to")
	if err := makeTree(ctx, from); err != nil {
		return err
	}
	s, err := copyTree(ctx, from, to)
	if err != nil {
		return err
	}
	fmt.Printf("copied %d directories and %d files, %d bytes\n", s.dirs, s.files, s.bytes)
	fmt.Println("several at once:", s.mostAtOnce > 1)
	fmt.Println("never too many:", s.mostAtOnce <= copiesMax)
	data, err := asyncio.ReadFile(ctx, filepath.Join(to, "dir3", "file2"))
	if err != nil {
		return err
	}
	fmt.Printf("dir3/file2 begins with %q\n", data[:18])

	_, err = copyTree(ctx, filepath.Join(tmp, "nothing"), to)
	fmt.Println("nothing to copy:", errors.Is(err, fs.ErrNotExist))
	return nil
}

// makeTree makes 10 directories with 10 files each, all of them at once.
func makeTree(ctx context.Context, root string) error {
	return asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
		for i := range 10 {
			tg.Go(func(ctx context.Context) error {
				dir := filepath.Join(root, fmt.Sprint("dir", i))
				if err := asyncio.MkdirAll(ctx, dir, 0o755); err != nil {
					return err
				}
				for j := range 10 {
					text := strings.Repeat(fmt.Sprintf("file %d in dir %d.\n", j, i), 1000*(j+1))
					if err := asyncio.WriteFile(ctx, filepath.Join(dir, fmt.Sprint("file", j)), []byte(text), 0o644); err != nil {
						return err
					}
				}
				return nil
			})
		}
		return nil
	})
}
