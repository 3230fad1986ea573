//go:build cgo

package uv

// Names of hosts and services. The system's resolver blocks, so libuv asks it on its pool
// of threads. Numbers need neither: they are answered by the same resolver at once.

import (
	"context"
	"iter"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// AddrInfoHints says what GetAddrInfo looks for, with the system's numbers:
// syscall.AF_INET, syscall.SOCK_STREAM, AI_*. The zero value is all.
type AddrInfoHints struct{ Family, SockType, Protocol, Flags int }

// AddrInfo is one address that a name stands for.
type AddrInfo struct {
	Addr                       netip.AddrPort
	Family, SockType, Protocol int
	Canonname                  string // of the first one, with AI_CANONNAME
}

// addrQuery is a call of GetAddrInfo that libuv may see.
type addrQuery struct {
	node, service   string
	cNode, cService []byte
	hints           cbridge.Hints
}

func newAddrQuery(node, service string, hints AddrInfoHints) (*addrQuery, error) {
	q := &addrQuery{node: node, service: service}
	if node == "" && service == "" || strings.ContainsRune(node+service, 0) || !utf8.ValidString(node) {
		return nil, q.refused(EINVAL)
	}
	if len(node) > cbridge.NodeBytes || asciiLen(node) > cbridge.NodeBytes {
		return nil, q.refused(ENAMETOOLONG)
	}
	for _, n := range []int{hints.Family, hints.SockType, hints.Protocol, hints.Flags} {
		if n != int(int32(n)) {
			return nil, q.refused(EINVAL)
		}
	}
	q.hints = cbridge.Hints{Family: int32(hints.Family), SockType: int32(hints.SockType), Protocol: int32(hints.Protocol), Flags: int32(hints.Flags)}
	q.cNode, q.cService = terminated(numberedZone(node)), terminated(service)
	return q, nil
}

// numberedZone names the interface in an IPv6 address by its number. By its name not
// every resolver takes it, unless the address is link-local.
func numberedZone(node string) string {
	address, zone, found := strings.Cut(node, "%")
	if _, err := netip.ParseAddr(node); !found || err != nil {
		return node
	}
	scope, err := scopeID(zone)
	if err != nil {
		return node
	}
	return address + "%" + strconv.FormatUint(uint64(scope), 10)
}

// terminated ends a name as C wants it; nil is none.
func terminated(s string) []byte {
	if s == "" {
		return nil
	}
	return append([]byte(s), 0)
}

// refused is an error of the call itself.
func (q *addrQuery) refused(code Errno) error {
	return &Error{Op: "getaddrinfo", Addr: q.node, Errno: code}
}

// failed is an error of the resolver.
func (q *addrQuery) failed(code Errno) error {
	name := q.node
	if name == "" || code == EAI_SERVICE {
		name = q.service
	}
	return dnsError("getaddrinfo", name, code)
}

func dnsError(op, name string, code Errno) error {
	if code == ECANCELED {
		return &Error{Op: op, Errno: code}
	}
	return &net.DNSError{
		UnwrapErr:   &Error{Op: op, Addr: name, Errno: code},
		Err:         code.Error(),
		Name:        name,
		IsTimeout:   code == ETIMEDOUT,
		IsTemporary: code == EAI_AGAIN,
		IsNotFound:  code == EAI_NONAME || code == EAI_NODATA,
	}
}

// numeric reports whether there may be no name in q. What looks like an address and is
// none is found out by the resolver.
func (q *addrQuery) numeric() bool {
	digits := func(s, set string) bool { return strings.Trim(s, set) == "" }
	address := strings.Contains(q.node, ":") || digits(strings.ToLower(q.node), "0123456789abcdefx.")
	return address && digits(q.service, "0123456789")
}

// now asks at once, with further flags.
func (q *addrQuery) now(flags int32) (list []AddrInfo, code Errno) {
	hints := q.hints
	hints.Flags |= flags
	c := cbridge.GetAddrInfoNow(q.cNode, q.cService, hints, func(found iter.Seq[cbridge.AddrInfo]) { list = addrInfos(found) })
	return list, Errno(c)
}

// addrInfos copies what was found. Addresses that are not IP's are left out.
func addrInfos(found iter.Seq[cbridge.AddrInfo]) []AddrInfo {
	var list []AddrInfo
	for a := range found {
		if ap := parseSockaddr(a.Addr); ap.IsValid() {
			list = append(list, AddrInfo{Addr: ap, Family: a.Family, SockType: a.SockType, Protocol: a.Protocol, Canonname: a.Canonname})
		}
	}
	return list
}

// addrAnswer is what comes of GetAddrInfo.
type addrAnswer struct {
	*addrQuery
	list []AddrInfo
	done func([]AddrInfo, error)
}

func (a *addrAnswer) take(b *cbridge.Loop, id uint64) { a.list = addrInfos(b.Addresses(id)) }

func (a *addrAnswer) tell(err error) {
	if err != nil {
		a.list = nil
	}
	if a.done != nil {
		a.done(a.list, err)
	}
}

// GetAddrInfo looks up what a name, a service, or both stand for; uv_getaddrinfo. Either
// may be "". The list is the system's, in its order. An address with a port, and a port
// alone, need no pool; zones are kept. done gets a *net.DNSError that wraps the *Error:
// IsNotFound for EAI_NONAME and EAI_NODATA, IsTemporary for EAI_AGAIN. The error of the
// call is EINVAL without node and service, for a NUL byte and for what is no UTF-8,
// ENAMETOOLONG for a node whose ASCII form has more than 255 bytes, EAGAIN if the pool
// cannot be started, or ErrClosed.
func (l *Loop) GetAddrInfo(node, service string, hints AddrInfoHints, done func([]AddrInfo, error)) (*Req, error) {
	return l.getAddrInfo(context.Background(), node, service, hints, done)
}

// GetAddrInfoContext is GetAddrInfo; done gets the cause of ctx's end, if that comes
// first.
func (l *Loop) GetAddrInfoContext(ctx context.Context, node, service string, hints AddrInfoHints, done func([]AddrInfo, error)) (*Req, error) {
	return l.getAddrInfo(ctx, node, service, hints, done)
}

func (l *Loop) getAddrInfo(ctx context.Context, node, service string, hints AddrInfoHints, done func([]AddrInfo, error)) (*Req, error) {
	if err := l.mayBegin(ctx, "Loop.GetAddrInfo"); err != nil {
		return nil, err
	}
	q, err := newAddrQuery(node, service, hints)
	if err != nil {
		return nil, err
	}
	a := &addrAnswer{addrQuery: q, done: done}
	if q.numeric() {
		list, code := q.now(cbridge.NumericHost)
		if code == 0 {
			a.list = list
			return l.answered(ctx, GetAddrInfoReq, a, nil), nil
		}
		if code != EAI_NONAME {
			return l.answered(ctx, GetAddrInfoReq, a, q.failed(code)), nil
		}
	}
	if err := startPool("getaddrinfo"); err != nil {
		return nil, err
	}
	id, code := l.b.GetAddrInfo(q.cNode, q.cService, q.hints)
	if code != 0 {
		return nil, q.refused(Errno(code))
	}
	return l.begun(ctx, GetAddrInfoReq, id, a), nil
}

// mayBegin tells why a request cannot begin.
func (l *Loop) mayBegin(ctx context.Context, method string) error {
	l.use(method)
	if l.state.Load() == loopClosed {
		return ErrClosed
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// GetAddrInfoSync is GetAddrInfo without a loop: it blocks. Any goroutine.
func GetAddrInfoSync(node, service string, hints AddrInfoHints) ([]AddrInfo, error) {
	q, err := newAddrQuery(node, service, hints)
	if err != nil {
		return nil, err
	}
	list, code := q.now(0)
	if code != 0 {
		return nil, q.failed(code)
	}
	return list, nil
}

// nameQuery is a call of GetNameInfo that libuv may see.
type nameQuery struct {
	addr  netip.AddrPort
	sa    []byte
	flags int32
}

func newNameQuery(addr netip.AddrPort, flags int) (*nameQuery, error) {
	q := &nameQuery{addr: addr, flags: int32(flags)}
	sa, err := appendSockaddr(nil, addr)
	if err != nil || flags != int(q.flags) {
		return nil, q.refused(EINVAL)
	}
	q.sa = sa
	return q, nil
}

func (q *nameQuery) refused(code Errno) error {
	return &Error{Op: "getnameinfo", Addr: q.addr.String(), Errno: code}
}

func (q *nameQuery) failed(code Errno) error { return dnsError("getnameinfo", q.addr.String(), code) }

// nameAnswer is what comes of GetNameInfo.
type nameAnswer struct {
	*nameQuery
	host, service string
	done          func(host, service string, err error)
}

func (a *nameAnswer) take(b *cbridge.Loop, id uint64) { a.host, a.service = b.Name(id) }

func (a *nameAnswer) tell(err error) {
	if err != nil {
		a.host, a.service = "", ""
	}
	if a.done != nil {
		a.done(a.host, a.service, err)
	}
}

// GetNameInfo looks up the names of an address and its port; uv_getnameinfo. flags are
// the system's NI_*. What has no name is given as a number, unless NI_NAMEREQD is set;
// NI_NUMERICHOST with NI_NUMERICSERV needs no pool. done gets errors as of GetAddrInfo.
// The error of the call is EINVAL for the zero AddrPort and for a zone of no interface,
// EAGAIN if the pool cannot be started, or ErrClosed.
func (l *Loop) GetNameInfo(addr netip.AddrPort, flags int, done func(host, service string, err error)) (*Req, error) {
	return l.getNameInfo(context.Background(), addr, flags, done)
}

// GetNameInfoContext is GetNameInfo; done gets the cause of ctx's end, if that comes
// first.
func (l *Loop) GetNameInfoContext(ctx context.Context, addr netip.AddrPort, flags int, done func(host, service string, err error)) (*Req, error) {
	return l.getNameInfo(ctx, addr, flags, done)
}

func (l *Loop) getNameInfo(ctx context.Context, addr netip.AddrPort, flags int, done func(host, service string, err error)) (*Req, error) {
	if err := l.mayBegin(ctx, "Loop.GetNameInfo"); err != nil {
		return nil, err
	}
	q, err := newNameQuery(addr, flags)
	if err != nil {
		return nil, err
	}
	a := &nameAnswer{nameQuery: q, done: done}
	if flags&cbridge.NameInNumbers == cbridge.NameInNumbers {
		host, service, code := cbridge.GetNameInfoNow(q.sa, q.flags)
		a.host, a.service = host, service
		if code != 0 {
			err = q.failed(Errno(code))
		}
		return l.answered(ctx, GetNameInfoReq, a, err), nil
	}
	if err := startPool("getnameinfo"); err != nil {
		return nil, err
	}
	id, code := l.b.GetNameInfo(q.sa, q.flags)
	if code != 0 {
		return nil, q.refused(Errno(code))
	}
	return l.begun(ctx, GetNameInfoReq, id, a), nil
}

// GetNameInfoSync is GetNameInfo without a loop: it blocks. Any goroutine.
func GetNameInfoSync(addr netip.AddrPort, flags int) (host, service string, err error) {
	q, err := newNameQuery(addr, flags)
	if err != nil {
		return "", "", err
	}
	host, service, code := cbridge.GetNameInfoNow(q.sa, q.flags)
	if code != 0 {
		return "", "", q.failed(Errno(code))
	}
	return host, service, nil
}
