//go:build cgo

package uv_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// Flags of the system's resolver.
const (
	aiPassive     = 1
	aiCanonname   = 2
	aiNumericHost = 4
	niNumericHost = 1
	niNumericServ = 2
	niNameReqd    = 8
)

var streamHints = uv.AddrInfoHints{SockType: syscall.SOCK_STREAM}

// lookUp is what GetAddrInfo tells.
func lookUp(t testing.TB, l *uv.Loop, node, service string, hints uv.AddrInfoHints) (list []uv.AddrInfo, err error) {
	t.Helper()
	calls := 0
	r, begun := l.GetAddrInfo(node, service, hints, func(got []uv.AddrInfo, failure error) {
		calls++
		list, err = got, failure
	})
	require.NoError(t, begun)
	require.Zero(t, calls, "told inside the call")
	require.Equal(t, uv.GetAddrInfoReq, r.Type())
	require.True(t, l.Alive())
	until(t, l, "the addresses", func() bool { return calls > 0 })
	require.Equal(t, 1, calls)
	return list, err
}

func nameOf(t testing.TB, l *uv.Loop, addr string, flags int) (host, service string, err error) {
	t.Helper()
	called := false
	r, begun := l.GetNameInfo(netip.MustParseAddrPort(addr), flags, func(h, s string, failure error) {
		called = true
		host, service, err = h, s, failure
	})
	require.NoError(t, begun)
	require.Equal(t, uv.GetNameInfoReq, r.Type())
	until(t, l, "the name", func() bool { return called })
	return host, service, err
}

func addrs(list []uv.AddrInfo) (s []string) {
	for _, a := range list {
		s = append(s, a.Addr.String())
	}
	return s
}

func TestGetAddrInfo(t *testing.T) {
	l := newLoop(t)
	t.Run("UV-140", func(t *testing.T) {
		for _, typ := range []int{syscall.SOCK_STREAM, syscall.SOCK_DGRAM} {
			list, err := lookUp(t, l, "127.0.0.1", "80", uv.AddrInfoHints{SockType: typ})
			require.NoError(t, err)
			require.Len(t, list, 1)
			require.Equal(t, typ, list[0].SockType)
			require.Equal(t, syscall.AF_INET, list[0].Family)
			require.Equal(t, netip.MustParseAddrPort("127.0.0.1:80"), list[0].Addr)
		}
		list, err := lookUp(t, l, "::1%lo", "80", streamHints)
		require.NoError(t, err)
		require.Equal(t, []string{"[::1%lo]:80"}, addrs(list))
		require.Equal(t, syscall.AF_INET6, list[0].Family)
		require.Equal(t, "pool not used\n", inChild(t, "literals"))
	})
	t.Run("the same as at once", func(t *testing.T) {
		for _, node := range []string{"", "localhost", "127.0.0.1", "::1", "127.1", "0x7f000001", "1", "fe80::1%nosuchif", "::1%1", "::1%lo", "::ffff:1.2.3.4"} {
			for _, service := range []string{"", "80", "http", "no-such-service", "0", "99999", " 80"} {
				if node == "" && service == "" {
					continue
				}
				for _, hints := range []uv.AddrInfoHints{
					{}, streamHints, {SockType: syscall.SOCK_DGRAM}, {SockType: syscall.SOCK_RAW}, {Family: syscall.AF_INET}, {Family: syscall.AF_INET6, SockType: syscall.SOCK_STREAM},
					{Flags: aiPassive, SockType: syscall.SOCK_STREAM}, {Flags: aiCanonname}, {Flags: aiNumericHost}, {Protocol: syscall.IPPROTO_TCP}, {Family: 77}, {SockType: 77}, {Flags: 1 << 30},
				} {
					what := fmt.Sprintf("%q %q %+v", node, service, hints)
					want, wantErr := uv.GetAddrInfoSync(node, service, hints)
					got, err := lookUp(t, l, node, service, hints)
					require.Equal(t, want, got, what)
					require.Equal(t, wantErr, err, what)
					require.Equal(t, err == nil, len(got) > 0, what)
				}
			}
		}
	})
	t.Run("failures", func(t *testing.T) {
		for _, c := range []struct {
			node, service string
			hints         uv.AddrInfoHints
			want          uv.Errno
			notFound      bool
		}{
			{"127.0.0.1.5", "80", uv.AddrInfoHints{Flags: aiNumericHost}, uv.EAI_NONAME, true},
			{"127.0.0.1", "no-such-service", streamHints, uv.EAI_SERVICE, false},
			{"", "no-such-service", streamHints, uv.EAI_SERVICE, false},
			{"::1", "80", uv.AddrInfoHints{Family: 77}, uv.EAI_FAMILY, false},
		} {
			_, err := lookUp(t, l, c.node, c.service, c.hints)
			var dns *net.DNSError
			require.ErrorAs(t, err, &dns)
			var failed *uv.Error
			require.ErrorAs(t, err, &failed)
			require.Equal(t, c.want, failed.Errno)
			require.ErrorIs(t, err, c.want)
			require.Equal(t, "getaddrinfo", failed.Op)
			require.Equal(t, c.notFound, dns.IsNotFound)
			require.NotEmpty(t, dns.Name)
		}
	})
	t.Run("refused", func(t *testing.T) {
		for _, c := range []struct {
			node, service string
			hints         uv.AddrInfoHints
			want          uv.Errno
		}{
			{"", "", uv.AddrInfoHints{}, uv.EINVAL},
			{"localhost\x00evil", "80", uv.AddrInfoHints{}, uv.EINVAL},
			{"localhost", "8\x000", uv.AddrInfoHints{}, uv.EINVAL},
			{"local\xffhost", "80", uv.AddrInfoHints{}, uv.EINVAL},
			{"localhost", "80", uv.AddrInfoHints{Family: 1 << 32}, uv.EINVAL},
			{"localhost", "80", uv.AddrInfoHints{Flags: -1 << 40}, uv.EINVAL},
		} {
			refuse := func(_ []uv.AddrInfo, err error) { t.Error("told", err) }
			r, err := l.GetAddrInfo(c.node, c.service, c.hints, refuse)
			require.ErrorIs(t, err, c.want, "%q", c.node)
			require.Nil(t, r)
			_, err = uv.GetAddrInfoSync(c.node, c.service, c.hints)
			require.ErrorIs(t, err, c.want)
		}
		require.NoError(t, l.Poll(0))
	})
	t.Run("UV-142", func(t *testing.T) {
		for _, node := range []string{
			strings.Repeat("x", 300), strings.Repeat("x.", 150), strings.Repeat("x", 256),
			strings.Repeat("bücher.", 18) + "abcd", // xn--bcher-kva. 18 times, and 4
			strings.Repeat("日本語。", 19),             // xn--wgv71a119e. 19 times
			"localhost" + strings.Repeat(" ", 250),
		} {
			_, err := l.GetAddrInfo(node, "80", streamHints, nil)
			require.ErrorIs(t, err, uv.ENAMETOOLONG, node)
			_, err = uv.GetAddrInfoSync(node, "80", streamHints)
			require.ErrorIs(t, err, uv.ENAMETOOLONG, node)
		}
		for _, node := range []string{strings.Repeat("bücher.", 18) + "abc", strings.Repeat("日本語。", 17)} {
			_, err := uv.GetAddrInfoSync(node, "80", uv.AddrInfoHints{Flags: aiNumericHost})
			require.ErrorIs(t, err, uv.EAI_NONAME, "%q reaches the resolver", node)
		}
	})
	t.Run("without a callback", func(t *testing.T) {
		for _, node := range []string{"localhost", "127.0.0.1"} {
			_, err := l.GetAddrInfo(node, "80", streamHints, nil)
			require.NoError(t, err)
		}
		_, err := l.GetNameInfo(loopback, 0, nil)
		require.NoError(t, err)
		more, err := l.Run(uv.RunDefault)
		require.NoError(t, err)
		require.False(t, more)
	})
	t.Run("many", func(t *testing.T) {
		told := 0
		for i := range 500 {
			_, err := l.GetAddrInfo("localhost", "80", streamHints, func(list []uv.AddrInfo, err error) {
				require.NoError(t, err)
				require.NotEmpty(t, list)
				told++
			})
			require.NoError(t, err, i)
		}
		_, err := l.Run(uv.RunDefault)
		require.NoError(t, err)
		require.Equal(t, 500, told)
	})
}

func TestGetNameInfo(t *testing.T) {
	l := newLoop(t)
	for _, c := range []struct {
		addr          string
		flags         int
		host, service string
	}{
		{"127.0.0.1:80", niNumericHost | niNumericServ, "127.0.0.1", "80"},
		{"127.0.0.1:80", niNumericServ, "localhost", "80"},
		{"127.0.0.1:80", niNumericHost, "127.0.0.1", "http"},
		{"127.0.0.1:80", 0, "localhost", "http"},
		{"[::1]:65535", niNumericHost | niNumericServ, "::1", "65535"},
		{"[fe80::1%lo]:1", niNumericHost | niNumericServ, "fe80::1%lo", "1"},
	} {
		host, service, err := nameOf(t, l, c.addr, c.flags)
		require.NoError(t, err)
		require.Equal(t, []string{c.host, c.service}, []string{host, service}, c.addr)
		host, service, err = uv.GetNameInfoSync(netip.MustParseAddrPort(c.addr), c.flags)
		require.NoError(t, err)
		require.Equal(t, []string{c.host, c.service}, []string{host, service}, c.addr)
	}
	for _, flags := range []int{niNumericHost | niNameReqd | niNumericServ, niNumericHost | niNameReqd, 1 << 20} {
		_, _, err := nameOf(t, l, "127.0.0.1:80", flags)
		_, _, want := uv.GetNameInfoSync(netip.MustParseAddrPort("127.0.0.1:80"), flags)
		require.Equal(t, want, err)
		var dns *net.DNSError
		require.True(t, err == nil || errors.As(err, &dns))
	}
	for _, addr := range []netip.AddrPort{{}, netip.MustParseAddrPort("[::1%nosuchif]:1")} {
		_, err := l.GetNameInfo(addr, 0, nil)
		require.ErrorIs(t, err, uv.EINVAL)
		_, _, err = uv.GetNameInfoSync(addr, 0)
		require.ErrorIs(t, err, uv.EINVAL)
	}
	_, err := l.GetNameInfo(loopback, 1<<40, nil)
	require.ErrorIs(t, err, uv.EINVAL)
}

func TestRequests(t *testing.T) {
	t.Run("what a request is", func(t *testing.T) {
		l := newLoop(t)
		r, err := l.GetAddrInfo("localhost", "80", streamHints, nil)
		require.NoError(t, err)
		require.Equal(t, l, r.Loop())
		require.Nil(t, r.Data())
		r.SetData(7)
		require.Equal(t, 7, r.Data())
		require.ErrorIs(t, l.Close(), uv.ErrBusy)
		_, err = l.Run(uv.RunDefault)
		require.NoError(t, err)
		require.ErrorIs(t, r.Cancel(), uv.EBUSY)
		require.NoError(t, l.Close())
		require.ErrorIs(t, r.Cancel(), uv.EBUSY)
		_, err = l.GetAddrInfo("localhost", "80", streamHints, nil)
		require.ErrorIs(t, err, uv.ErrClosed)
		_, err = l.GetNameInfo(loopback, 0, nil)
		require.ErrorIs(t, err, uv.ErrClosed)
	})
	t.Run("names of kinds", func(t *testing.T) {
		var names []string
		for k := uv.UnknownReq; k <= uv.WorkReq+1; k++ {
			names = append(names, k.String())
		}
		require.Equal(t, []string{"unknown", "fs", "getaddrinfo", "getnameinfo", "random", "work", "ReqType(6)"}, names)
	})
	t.Run("an answer that is known is told by a later turn", func(t *testing.T) {
		l := newLoop(t)
		var log []string
		r, err := l.GetAddrInfo("127.0.0.1", "1", streamHints, func([]uv.AddrInfo, error) {
			log = append(log, "first")
			_, err := l.GetAddrInfo("127.0.0.1", "1", streamHints, func([]uv.AddrInfo, error) { log = append(log, "second") })
			require.NoError(t, err)
		})
		require.NoError(t, err)
		require.ErrorIs(t, r.Cancel(), uv.EBUSY)
		require.ErrorIs(t, l.Close(), uv.ErrBusy)
		require.NoError(t, l.Poll(0))
		require.Equal(t, []string{"first"}, log)
		require.NoError(t, l.Poll(0))
		require.Equal(t, []string{"first", "second"}, log)
	})
	t.Run("contexts", func(t *testing.T) {
		l := newLoop(t)
		boom := errors.New("boom")
		ended, cancel := context.WithCancelCause(t.Context())
		cancel(boom)
		_, err := l.GetAddrInfoContext(ended, "localhost", "80", streamHints, nil)
		require.Equal(t, boom, err)
		_, err = l.GetNameInfoContext(ended, loopback, 0, nil)
		require.Equal(t, boom, err)
		for _, node := range []string{"localhost", "127.0.0.1"} {
			var list []uv.AddrInfo
			ctx, cancel := context.WithCancelCause(t.Context())
			_, err := l.GetAddrInfoContext(ctx, node, "80", streamHints, func(got []uv.AddrInfo, failure error) { list, err = got, failure })
			require.NoError(t, err)
			until(t, l, "the addresses", func() bool { return list != nil })
			cancel(boom)
			require.NoError(t, l.Poll(0))
			require.NoError(t, err, "it was over")
		}
		calls := 0
		for range 100 {
			for _, node := range []string{"localhost", "127.0.0.1"} {
				ctx, cancel := context.WithCancelCause(t.Context())
				_, err := l.GetAddrInfoContext(ctx, node, "80", streamHints, func(got []uv.AddrInfo, err error) {
					calls++
					require.True(t, err == nil && len(got) > 0 || err == boom && got == nil, "%v %v", got, err)
				})
				require.NoError(t, err)
				cancel(boom)
			}
		}
		_, err = l.Run(uv.RunDefault)
		require.NoError(t, err)
		require.Equal(t, 200, calls)
	})
	t.Run("a callback that panics", func(t *testing.T) {
		l := newLoop(t)
		told := 0
		for range 2 {
			for _, node := range []string{"localhost", "127.0.0.1"} {
				_, err := l.GetAddrInfo(node, "80", streamHints, func([]uv.AddrInfo, error) { told++; panic("boom") })
				require.NoError(t, err)
			}
		}
		for told < 4 {
			func() {
				defer func() { require.Contains(t, []any{nil, "boom"}, recover()) }()
				_ = l.Poll(uv.Forever)
			}()
		}
	})
	t.Run("from another goroutine", func(t *testing.T) {
		l := newLoop(t, uv.WithChecks())
		r, err := l.GetAddrInfo("127.0.0.1", "1", streamHints, func([]uv.AddrInfo, error) {
			done := make(chan any)
			go func() {
				defer func() { done <- recover() }()
				_, _ = l.GetAddrInfo("127.0.0.1", "1", streamHints, nil)
			}()
			require.ErrorIs(t, (<-done).(error), uv.ErrWrongGoroutine)
		})
		require.NoError(t, err)
		require.NoError(t, l.Poll(0))
		require.ErrorIs(t, r.Cancel(), uv.EBUSY)
	})
}
