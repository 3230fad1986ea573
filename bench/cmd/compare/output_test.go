package main

import (
	"path/filepath"
	"testing"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
	"github.com/stretchr/testify/require"
)

func TestWritesAnEarlierRunAnew(t *testing.T) {
	folder := t.TempDir()
	in := func(name string) string { return filepath.Join(folder, name) }
	r := fullReport()
	require.NoError(t, r.WriteFile(in("old.json")))

	out := outputs{from: in("old.json"), json: in("new.json"), docs: in("docs"), saved: in("old.json")}
	rep, err := out.measure(settings{})
	require.NoError(t, err)
	require.Equal(t, judge(r), rep.Targets)
	require.FileExists(t, in("docs/benchmarks.md"))
	back, err := result.ReadFile(in("new.json"))
	require.NoError(t, err)
	require.Equal(t, rep, back)
}

func TestNamesOfRunsThatAreNotThere(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.json")
	for _, out := range []outputs{{from: missing}, {saved: missing}} {
		_, err := out.measure(settings{})
		require.ErrorContains(t, err, "missing.json")
	}
}
