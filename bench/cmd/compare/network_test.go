package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

// everybody is all that is installed, ready for every work.
func everybody(t *testing.T) programs {
	t.Helper()
	rep := &result.Report{}
	p, err := newBuilder(t).prepare(settings{work: []string{"echo", "udp", "sendfile", "loops", "tls", "http", "https"}}, rep)
	require.NoError(t, err)
	require.Empty(t, rep.Failed)
	return p
}

// Every contender that is installed does every work of its kind.
func TestNetworkWorks(t *testing.T) {
	m := newMeter(t)
	m.seconds, m.warmup = 0.03, 0.01
	p := everybody(t)
	works := append(slices.Clone(quickNetwork), result.Work{Kind: result.Shake, Bytes: 1, Connections: 3}, result.Work{Kind: result.HTTP, Name: object, Connections: 3},
		result.Work{Kind: result.HTTPS, Name: hello, Connections: 3})
	for _, w := range works {
		w.Connections = min(w.Connections, 3)
		j := m.networkJob(w, p)
		require.Equal(t, j.control, j.contenders[0].name)
		for _, c := range j.contenders {
			t.Run(w.String()+"/"+c.name, func(t *testing.T) {
				list, err := j.measure(c)
				require.NoError(t, err)
				require.Len(t, list, 1)
				require.Equal(t, w, list[0].work)
				require.Positive(t, list[0].values[result.CPU])
				if w.Kind == result.Loops {
					require.Positive(t, list[0].values[result.Capacity])
				}
			})
		}
	}
}

func TestCapacity(t *testing.T) {
	w := result.Work{Kind: result.Loops, Procs: 2}
	for _, c := range []struct{ loops, want int }{{0, 2}, {1, 1}, {2, 2}, {3, 2}} {
		require.Equal(t, c.want, contender{loops: c.loops}.processors(w), "%d loops", c.loops)
	}
}

func TestWhoTakesPart(t *testing.T) {
	servers := []contender{{name: result.LibuvC}, {name: result.LibuvC256}, {name: result.Buffered}}
	names := func(w result.Work) (names []string) {
		for _, c := range whoTakesPart(w, servers) {
			names = append(names, c.name)
		}
		return names
	}
	require.Equal(t, []string{result.LibuvC, result.LibuvC256}, names(result.Work{Kind: result.Echo, Bytes: 1 << 10}))
	require.Equal(t, []string{result.LibuvC, result.LibuvC256, result.Buffered}, names(result.Work{Kind: result.Echo, Bytes: bulky}))
	require.Equal(t, []string{result.LibuvC}, names(result.Work{Kind: result.Unix, Bytes: bulky}))
	require.Len(t, servers, 3)
}

func TestFileOfDownloads(t *testing.T) {
	b := newBuilder(t)
	require.NoError(t, b.writeFile())
	name := filepath.Join(b.out, fileName)
	first, err := os.Stat(name)
	require.NoError(t, err)
	require.EqualValues(t, fileBytes, first.Size())
	require.NoError(t, b.writeFile())
	again, err := os.Stat(name)
	require.NoError(t, err)
	require.Equal(t, first.ModTime(), again.ModTime(), "it is made once")
}

// The control's C has no warning.
func TestServersInC(t *testing.T) {
	sources, err := filepath.Glob(filepath.Join(newBuilder(t).bench, "servers", "*.c"))
	require.NoError(t, err)
	require.NotEmpty(t, sources)
	b := newBuilder(t)
	b.out = t.TempDir()
	for _, source := range sources {
		_, err := b.cc(filepath.Join("servers", filepath.Base(source)), "-Werror", "-luv", "-lpthread", "-ldl", "-lrt")
		require.NoError(t, err)
	}
}

func TestServersOfDatagramsAndPaths(t *testing.T) {
	b := newBuilder(t)
	c := ready(t, b.datagrams(), result.LibuvC)[0]
	require.Equal(t, "udp", c.network())
	srv, err := startServer(c, "")
	require.NoError(t, err)
	_, err = startServerOn(srv.port, contender{command: []string{"sleep", "60"}, datagrams: true}, "")
	require.ErrorContains(t, err, "another process listens on port "+srv.port)
	srv.stop()
	sockets, err := listeners("udp", srv.port)
	require.NoError(t, err)
	require.Empty(t, sockets)

	c = ready(t, b.servers(), result.LibuvC)[0]
	c.path = filepath.Join(t.TempDir(), "a.sock")
	require.Equal(t, "unix", c.network())
	for range 2 { // the second one finds what the first, which was killed, has left
		srv, err = startServer(c, "")
		require.NoError(t, err)
		require.Equal(t, c.path, srv.addr)
		srv.stop()
	}
}
