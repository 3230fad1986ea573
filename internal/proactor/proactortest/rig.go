package proactortest

// A rig is what a case stands on: the driver, the loop that polls it, and peers on
// goroutines. It fails a case that waits too long, with every goroutine's stack, and one
// that leaves something behind.

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// caseTimeout is how long a case waits for what must happen. It is reached by failing
// tests only.
const caseTimeout = 20 * time.Second

// rig is one case: a driver, the loop that polls it, and the peers.
type rig struct {
	t        *testing.T
	p        proactor.Proactor
	polling  bool // a Poll is under way
	inside   bool // and a handler
	closed   bool
	peers    sync.WaitGroup
	deadline time.Time

	probe  *recorder
	prober net.Conn
}

func newRig(t *testing.T, newProactor New) *rig {
	known := goleak.IgnoreCurrent()
	before := openDescriptors()
	p, err := newProactor()
	require.NoError(t, err)
	r := &rig{t: t, p: p, deadline: time.Now().Add(caseTimeout)}
	watchdog := time.AfterFunc(caseTimeout, p.Wake) // a Poll that waits too long ends, and the case fails
	t.Cleanup(func() {
		watchdog.Stop()
		r.close()
		r.peers.Wait()
		goleak.VerifyNone(t, known)
		// A lookup that ran when the driver was closed may hold what it needs a while.
		for after := openDescriptors(); len(after) > len(before); after = openDescriptors() {
			if time.Now().After(r.deadline) {
				t.Errorf("descriptors before: %v, after: %v", before, after)
				break
			}
		}
	})
	return r
}

// close closes the driver, once.
func (r *rig) close() {
	if !r.closed {
		r.closed = true
		require.NoError(r.t, r.p.Close())
	}
}

func (r *rig) poll(timeout time.Duration) {
	r.t.Helper()
	r.polling = true
	defer func() { r.polling = false }()
	require.NoError(r.t, r.p.Poll(timeout))
}

// pollFor polls for so long.
func (r *rig) pollFor(d time.Duration) {
	r.t.Helper()
	start := r.p.Now()
	for left := d; left > 0; left = d - (r.p.Now() - start) {
		r.poll(left)
	}
}

// until polls until cond holds. Whoever makes it true on another goroutine calls Wake
// afterwards.
func (r *rig) until(what string, cond func() bool) {
	r.t.Helper()
	for !cond() {
		left := time.Until(r.deadline)
		if left <= 0 {
			buf := make([]byte, 64<<10)
			r.t.Fatalf("waited in vain: %s\n%s", what, buf[:runtime.Stack(buf, true)])
		}
		r.poll(left)
	}
}

// settle gives what must not happen its chance: three times a byte makes the way from a
// peer through the driver, on a connection of its own.
func (r *rig) settle() {
	r.t.Helper()
	if r.probe == nil {
		r.probe, r.prober = r.pair(link{"tcp", true}, true)
	}
	for range 3 {
		n := len(r.probe.got)
		r.spawn(func() { _, _ = r.prober.Write([]byte{1}) })
		r.until("the probe", func() bool { return len(r.probe.got) > n })
	}
}

// spawn runs a peer. The case does not end before it.
func (r *rig) spawn(f func()) (done func() bool) {
	var over atomic.Bool
	r.peers.Add(1)
	go func() {
		defer r.peers.Done()
		defer r.p.Wake()
		defer over.Store(true)
		f()
	}()
	return over.Load
}

// do runs f as a peer and polls until it is done.
func (r *rig) do(what string, f func()) {
	r.t.Helper()
	r.until(what, r.spawn(f))
}

// own closes c at the end of the case, before the driver. Any goroutine may call it.
func (r *rig) own(c io.Closer) { r.t.Cleanup(func() { _ = c.Close() }) }

// handler is around every call of a handler.
func (r *rig) handler(name string) (leave func()) {
	r.t.Helper()
	switch {
	case r.closed:
		r.t.Errorf("%s after Close of the proactor", name)
	case !r.polling:
		r.t.Errorf("%s outside Poll", name)
	case r.inside:
		r.t.Errorf("%s inside the call that caused it", name)
	}
	before := r.inside
	r.inside = true
	return func() { r.inside = before }
}

// link is a kind of connection.
type link struct {
	network  string // tcp or unix
	accepted bool   // the driver accepts; otherwise it connects
}

var links = []link{{"tcp", true}, {"tcp", false}, {"unix", true}, {"unix", false}}

func (l link) String() string {
	if l.accepted {
		return l.network + " accepted"
	}
	return l.network + " connected"
}

// freeAddr is an address to listen on.
func (r *rig) freeAddr(network string) net.Addr {
	if network == "unix" {
		// Not t.TempDir: it contains the name of the test, and a socket's path may not be
		// that long.
		dir, err := os.MkdirTemp("", "proactor")
		require.NoError(r.t, err)
		r.t.Cleanup(func() { require.NoError(r.t, os.RemoveAll(dir)) })
		return &net.UnixAddr{Net: "unix", Name: filepath.Join(dir, "s")}
	}
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
}

// freeAddrs is one address of each kind.
func (r *rig) freeAddrs() []net.Addr {
	addrs := []net.Addr{r.freeAddr("tcp"), r.freeAddr("unix")}
	if runtime.GOOS == "linux" {
		addrs = append(addrs, &net.UnixAddr{Net: "unix", Name: "@" + r.freeAddr("unix").String()})
	}
	return addrs
}

// pair makes a connection. The driver's side reads from the start, if read says so.
func (r *rig) pair(l link, read bool) (*recorder, peerConn) {
	r.t.Helper()
	var rec *recorder
	var peer net.Conn
	if l.accepted {
		ln := r.listen(r.freeAddr(l.network), proactor.ListenOptions{Backlog: 16})
		defer ln.Close()
		r.start(ln, func(s proactor.Stream) { rec = r.record(s) })
		r.do("dial", func() { peer = r.dial(ln.Addr()) })
	} else {
		ln, err := net.Listen(l.network, r.freeAddr(l.network).String())
		require.NoError(r.t, err)
		defer ln.Close()
		r.p.Connect(ln.Addr(), proactor.ConnectOptions{}, func(s proactor.Stream, err error) {
			defer r.handler("done")()
			require.NoError(r.t, err)
			rec = r.record(s)
		})
		r.do("accept", func() {
			var err error
			peer, err = ln.Accept()
			if err != nil {
				r.t.Errorf("accept: %v", err)
				return
			}
			r.own(peer)
		})
	}
	r.until("the connection", func() bool { return rec != nil && peer != nil })
	if read {
		rec.readStart()
	}
	return rec, peer.(peerConn)
}

// peerConn is what the peers' sides have in common.
type peerConn interface {
	net.Conn
	CloseWrite() error
	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error
}

func (r *rig) listen(addr net.Addr, opt proactor.ListenOptions) proactor.Listener {
	r.t.Helper()
	ln, err := r.p.Listen(addr, opt)
	require.NoError(r.t, err)
	return ln
}

// start gives ln a handler that fails the case if accepting fails.
func (r *rig) start(ln proactor.Listener, accepted func(s proactor.Stream)) {
	r.t.Helper()
	require.NoError(r.t, ln.Start(&acceptor{r: r, accepted: accepted}))
}

// dial connects a peer. For a peer's goroutine.
func (r *rig) dial(addr net.Addr) net.Conn {
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		r.t.Errorf("dial: %v", err)
		return nil
	}
	r.own(c)
	return c
}
