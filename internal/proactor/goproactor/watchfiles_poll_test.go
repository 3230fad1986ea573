package goproactor

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// names is a proactor.DirHandler that keeps what it hears.
type names []string

func (n *names) Touched(name string) { *n = append(*n, name) }

// Systems without inotify are few where tests run: this is what they do.
func TestPolledDirectory(t *testing.T) {
	p, err := New()
	require.NoError(t, err)
	d := p.(*driver)
	var heard names
	w := &dirWatch{d: d, h: &heard}
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, want := range map[string]error{file: syscall.ENOTDIR, filepath.Join(dir, "none"): syscall.ENOENT, "": syscall.ENOENT} {
		_, err := w.poll(name)
		require.ErrorIs(t, err, want, name)
	}
	w.stop, err = w.poll(dir)
	require.NoError(t, err)
	d.dirs[w] = struct{}{}
	for len(heard) < 2 {
		require.NoError(t, d.Poll(proactor.Forever))
	}
	require.Equal(t, names{"", ""}, heard)
	w.Close()
	w.Close()
	require.NoError(t, d.Poll(dirPollInterval+dirPollInterval/2))
	require.Len(t, heard, 2)
	again := &dirWatch{d: d, h: &heard}
	again.stop, err = again.poll(dir)
	require.NoError(t, err)
	d.dirs[again] = struct{}{}
	require.NoError(t, p.Close())
}
