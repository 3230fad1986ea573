//go:build cgo

package uv_test

// The memory of libuv and of the bridge, and what Go's collector may do meanwhile.

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/cbridge"
	"github.com/seed-a026a017/asyncio/uv"
)

// useEverything makes one of each, and something happen to it.
func useEverything(t testing.TB, l *uv.Loop, dir string) {
	t.Helper()
	client, server := connectedPair(t, l)
	require.NoError(t, server.ReadStart(func([]byte, error) {}))
	require.NoError(t, client.Write(make([]byte, 1<<20), nil))
	pipe, err := l.NewPipe()
	require.NoError(t, err)
	require.NoError(t, pipe.Bind(filepath.Join(dir, "socket")))
	require.NoError(t, newTimer(t, l).Start(time.Hour, time.Hour, func() {}))
	_, err = l.NewAsync(func() {})
	require.NoError(t, err)
	u, err := l.NewUDP(uv.UDPOptions{})
	require.NoError(t, err)
	require.NoError(t, u.Bind(loopback, 0))
	to, err := u.LocalAddr()
	require.NoError(t, err)
	require.NoError(t, u.RecvStart(func(uv.Datagram, error) {}))
	require.NoError(t, u.Send(make([]byte, 4096), to, nil))
	watch(t, l, dir)
	look(t, l, dir, time.Millisecond)
	_, err = l.GetAddrInfo("localhost", "80", streamHints, nil)
	require.NoError(t, err)
	_, err = l.GetNameInfo(netip.MustParseAddrPort("127.0.0.1:80"), 0, nil)
	require.NoError(t, err)
	_, err = l.Random(make([]byte, 4096), nil)
	require.NoError(t, err)
	_, err = l.QueueWork(func() {}, nil)
	require.NoError(t, err)
	l.FS().ReadDir(dir, nil)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "a"), 0o700))
	for range 5 {
		require.NoError(t, l.Poll(time.Millisecond))
	}
}

func TestBridgeMemory(t *testing.T) {
	t.Run("UV-149", func(t *testing.T) { // -race and cgocheck2 are choices of the build
		r := newSequenceRunner(t, "GOGC=1", "GODEBUG=cgocheck=1,clobberfree=1")
		n := uint64(100)
		if slow {
			n = 20
		}
		for seed := range n {
			r.run(t, randomSequence(seed+1_000_000))
		}
	})
	t.Run("UV-150", func(t *testing.T) {
		before := cbridge.LiveAllocations()
		for range 5 {
			l := newLoop(t)
			useEverything(t, l, t.TempDir())
			require.Greater(t, cbridge.LiveAllocations(), before)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			require.NoError(t, l.Shutdown(ctx))
			cancel()
			require.Equal(t, before, cbridge.LiveAllocations())
		}
		_, err := uv.CPUInfo()
		require.NoError(t, err)
		_, err = uv.InterfaceAddresses()
		require.NoError(t, err)
		_, err = uv.Passwd()
		require.NoError(t, err)
		_, _ = uv.GroupByGID(0)
		_, err = uv.GetAddrInfoSync("localhost", "", uv.AddrInfoHints{})
		require.NoError(t, err)
		_, err = uv.OpenLib("/no/such/library")
		require.Error(t, err)
		require.Equal(t, before, cbridge.LiveAllocations())
	})
}
