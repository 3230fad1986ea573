// Watch shows a program that hears of what happens to files: asyncio has nothing for
// that, and Python programs use watchdog or watchfiles.
//
// A server reads its configuration again whenever the file was written, however an editor
// writes it: in place, or as another file that is given the name. A watched name is
// watched on. And a directory is watched, in which files come, change, and go.
//
//	go run ./examples/watch            # the two, by themselves
//	go run ./examples/watch PATH...    # files and directories of your own, until Ctrl-C
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/seed-a026a017/asyncio"
)

func main() {
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		if len(os.Args) > 1 {
			return printAll(ctx, os.Args[1:])
		}
		tmp, err := os.MkdirTemp("", "watch-*")
		if err != nil {
			return err
		}
		defer os.RemoveAll(tmp)
		if err := reload(ctx, filepath.Join(tmp, "config")); err != nil {
			return err
		}
		return follow(ctx, filepath.Join(tmp, "inbox"))
	}))
	if err != nil {
		fmt.Fprintln(os.Stderr, "watch:", err)
		os.Exit(1)
	}
}

// printAll prints all that happens.
func printAll(ctx context.Context, paths []string) error {
	watcher, err := asyncio.WatchFiles(ctx, paths...)
	if err != nil {
		return err
	}
	defer watcher.Close()
	for change, err := range watcher.Changes(ctx) {
		if errors.Is(err, asyncio.ErrCancelled) {
			return nil // Ctrl-C
		}
		if err != nil {
			return err
		}
		fmt.Println(change)
	}
	return nil
}

// server is something that has a configuration.
type server struct {
	config  string
	changed *asyncio.Condition
}

// serve reads the configuration whenever it may have changed. It may be told so more
// often than need be, and of a file that is just being written: so it compares.
func (s *server) serve(ctx context.Context, watcher *asyncio.FileWatcher, name string) error {
	for change, err := range watcher.Changes(ctx) {
		if err != nil {
			return err
		}
		if change.Op == asyncio.FileRemoved {
			continue // the old configuration stays in force
		}
		text, err := asyncio.ReadFile(ctx, name)
		if errors.Is(err, os.ErrNotExist) || string(text) == s.config || len(text) == 0 {
			continue
		}
		if err != nil {
			return err
		}
		err = s.changed.With(ctx, func() error {
			s.config = string(text)
			s.changed.NotifyAll()
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// uses waits until the server uses a configuration.
func (s *server) uses(ctx context.Context, config string) error {
	err := s.changed.With(ctx, func() error {
		return s.changed.WaitFor(ctx, func() bool { return s.config == config })
	})
	fmt.Println("the server uses:", config)
	return err
}

// reload shows a configuration that is written in three ways.
func reload(ctx context.Context, name string) error {
	watcher, err := asyncio.WatchFiles(ctx, name) // which does not exist so far
	if err != nil {
		return err
	}
	return asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
		defer watcher.Close() // ends serve
		s := &server{changed: asyncio.NewCondition(nil)}
		tg.Go(func(ctx context.Context) error { return s.serve(ctx, watcher, name) })
		for _, way := range []struct {
			config string
			write  func(config string) error
		}{
			{"a new file", func(config string) error { return asyncio.WriteFile(ctx, name, []byte(config), 0o600) }},
			{"written in place", func(config string) error { return asyncio.WriteFile(ctx, name, []byte(config), 0o600) }},
			{"a file that took its place", func(config string) error {
				if err := asyncio.WriteFile(ctx, name+".tmp", []byte(config), 0o600); err != nil {
					return err
				}
				return asyncio.Rename(ctx, name+".tmp", name)
			}},
		} {
			if err := way.write(way.config); err != nil {
				return err
			}
			if err := s.uses(ctx, way.config); err != nil {
				return err
			}
		}
		return nil
	})
}

// follow shows what is told of a directory. Each step waits for what it causes, since
// what happens at once is told as one.
func follow(ctx context.Context, dir string) error {
	if err := asyncio.MkdirAll(ctx, dir, 0o700); err != nil {
		return err
	}
	watcher, err := asyncio.WatchFiles(ctx, dir)
	if err != nil {
		return err
	}
	defer watcher.Close()
	letter, answer := filepath.Join(dir, "letter"), filepath.Join(dir, "answered")
	for _, step := range []struct {
		op asyncio.FileOp
		do func() error
	}{
		{asyncio.FileCreated, func() error { return asyncio.WriteFile(ctx, letter, nil, 0o600) }},
		{asyncio.FileChanged, func() error { return asyncio.WriteFile(ctx, letter, []byte("Dear"), 0o600) }},
		{asyncio.FileRenamed, func() error { return asyncio.Rename(ctx, letter, answer) }},
		{asyncio.FileRemoved, func() error { return asyncio.Remove(ctx, answer) }},
	} {
		if err := step.do(); err != nil {
			return err
		}
		for {
			change, err := watcher.Next(ctx)
			if err != nil {
				return err
			}
			if change.Op == step.op {
				fmt.Println(filepath.Base(change.Name), change.Op)
				break
			}
		}
	}
	return nil
}
