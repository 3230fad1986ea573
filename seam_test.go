package asyncio

// Whatever a loop waits for starts below the seam: a driver sees it all.

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// watchedDriver counts the functions it is given, and knows one name.
type watchedDriver struct {
	proactor.Proactor
	works, lookups atomic.Int32
	port           int
}

func (d *watchedDriver) Work(fn func()) {
	d.works.Add(1)
	d.Proactor.Work(fn)
}

func (d *watchedDriver) LookupPort(context.Context, string, string) (int, error) {
	d.lookups.Add(1)
	return d.port, nil
}

func (d *watchedDriver) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	d.lookups.Add(1)
	return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}, nil
}

func TestSeamOwnsWorkAndNames(t *testing.T) {
	l, err := NewEventLoop()
	require.NoError(t, err)
	defer l.Close()
	d := &watchedDriver{Proactor: l.pro}
	l.pro = d
	one := func() (int, error) { return 1, nil }
	_, err = RunUntilComplete(l, Coro[None](func(ctx context.Context) (None, error) {
		began := func(what string, works int32, f func() error) {
			before := d.works.Load()
			require.NoError(t, f(), what)
			require.Equal(t, works, d.works.Load()-before, what)
		}
		began("the default executor", 1, func() error {
			_, err := RunInExecutor(ctx, nil, one).Await(ctx)
			return err
		})
		pool := NewThreadPool(1)
		began("a pool", 1, func() error {
			_, err := RunInExecutor(ctx, pool, one).Await(ctx)
			return err
		})
		pool.Shutdown(true)
		server, err := l.CreateServer(ctx, func() Protocol { return new(idle) }, "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		addr := server.Addrs()[0].(interface{ AddrPort() netip.AddrPort }).AddrPort()
		d.port = int(addr.Port())
		began("names", 1, func() error {
			tr, _, err := l.CreateConnection(ctx, func() Protocol { return new(idle) }, "tcp", "somewhere.invalid:some-service")
			if err == nil {
				require.Equal(t, addr.String(), tr.RemoteAddr().String())
				tr.Close()
			}
			return err
		})
		require.EqualValues(t, 2, d.lookups.Load())
		server.CloseClients()
		server.Close()
		require.NoError(t, server.WaitClosed(ctx))
		began("the end of the default executor", 1, func() error { return l.ShutdownDefaultExecutor(ctx) })
		return None{}, nil
	}))
	require.NoError(t, err)
}

// idle is a protocol that only holds its connection.
type idle struct{}

func (*idle) ConnectionMade(Transport) {}
func (*idle) DataReceived([]byte)      {}
func (*idle) EOFReceived() bool        { return false }
func (*idle) PauseWriting()            {}
func (*idle) ResumeWriting()           {}
func (*idle) ConnectionLost(error)     {}
