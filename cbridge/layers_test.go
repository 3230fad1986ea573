//go:build cgo

package cbridge

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The files of the C side from the lowest layer to the highest, as internal.h has them.
var layers = []string{
	"mem", "slot", "record", "fd", "birth", "owner", "handle", "watch", "req", "peer", "read", "write", "listen", "stream", "tcp", "pipe",
	"ipc", "tty", "poll", "fsevent", "recv", "send", "udp", "child", "process", "loop", "pool", "job", "dns", "random", "system", "lib", "copy", "fs", "turn", "errno",
}

// uses compiles every .c file and tells, from what the objects define and leave
// undefined, which file uses which, and what of it.
func uses(t *testing.T) map[string]map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.c")
	require.NoError(t, err)
	dir := t.TempDir()
	definer, undefined := map[string]string{}, map[string][]string{}
	for _, f := range files {
		name := strings.TrimSuffix(f, ".c")
		object := filepath.Join(dir, name+".o")
		out, err := exec.Command(compiler(t), "-std=gnu11", "-O0", "-I../third_party/libuv/include", "-c", f, "-o", object).CombinedOutput()
		require.NoError(t, err, "%s", out)
		out, err = exec.Command("nm", object).Output()
		require.NoError(t, err)
		for line := range strings.Lines(string(out)) {
			f := strings.Fields(line)
			kind, symbol := f[len(f)-2], strings.TrimPrefix(f[len(f)-1], "_")
			switch {
			case !strings.HasPrefix(symbol, "br_"):
			case kind == "U":
				undefined[name] = append(undefined[name], symbol)
			case kind == strings.ToUpper(kind):
				definer[symbol] = name
			}
		}
		if undefined[name] == nil {
			undefined[name] = []string{}
		}
	}
	graph := map[string]map[string]string{}
	for name, symbols := range undefined {
		graph[name] = map[string]string{}
		for _, s := range symbols {
			require.Contains(t, definer, s)
			graph[name][definer[s]] = s
		}
	}
	return graph
}

// circle finds one in a graph, and names its members.
func circle(graph map[string]map[string]string) []string {
	var path []string
	done := map[string]bool{}
	var visit func(string) []string
	visit = func(name string) []string {
		if i := slices.Index(path, name); i >= 0 {
			return append(slices.Clone(path[i:]), name)
		}
		if done[name] {
			return nil
		}
		path = append(path, name)
		for to := range graph[name] {
			if c := visit(to); c != nil {
				return c
			}
		}
		path = path[:len(path)-1]
		done[name] = true
		return nil
	}
	for name := range graph {
		if c := visit(name); c != nil {
			return c
		}
	}
	return nil
}

func TestLayers(t *testing.T) {
	graph := uses(t)
	require.Len(t, graph, len(layers))
	if c := circle(graph); c != nil {
		require.Fail(t, "a circle among the files of the bridge", strings.Join(c, ".c -> ")+".c")
	}
	for name, used := range graph {
		level := slices.Index(layers, name)
		require.GreaterOrEqual(t, level, 0, "%s.c has no layer", name)
		for to, symbol := range used {
			require.Less(t, slices.Index(layers, to), level, "%s.c uses %s of %s.c, which is above it", name, symbol, to)
		}
	}
}

func TestCircle(t *testing.T) {
	edge := func(to ...string) map[string]string {
		m := map[string]string{}
		for _, s := range to {
			m[s] = "f"
		}
		return m
	}
	require.Nil(t, circle(map[string]map[string]string{"a": edge("b", "c"), "b": edge("c"), "c": edge()}))
	c := circle(map[string]map[string]string{"a": edge("b"), "b": edge("c"), "c": edge("b"), "d": edge("a")})
	require.Len(t, c, 3)
	require.Equal(t, c[0], c[2])
	require.ElementsMatch(t, []string{"b", "c"}, c[:2])
}
