package asyncio

// Options of connections and servers.

import (
	"runtime"
	"time"
)

const (
	backlogDefault     = 100
	streamLimitDefault = 64 << 10
)

// ConnOption configures a connection or a server. One that means nothing to the function
// it is given to is ignored.
type ConnOption func(*connConfig)

type connConfig struct {
	localAddr    string
	delay        time.Duration // between the starts of two attempts; Forever: one after the other
	interleave   int
	limit        int
	backlog      int
	reusePort    bool
	reuseAddr    bool
	keepAlive    bool
	startServing bool
}

func newConnConfig(opts []ConnOption) connConfig {
	c := connConfig{
		delay:        Forever,
		limit:        streamLimitDefault,
		backlog:      backlogDefault,
		reuseAddr:    runtime.GOOS != "windows", // there it would let another program take the port over
		startServing: true,
	}
	for _, opt := range opts {
		opt(&c)
	}
	return c
}

// WithLocalAddr binds a connection to a local "host:port" before it connects: local_addr.
// Port 0 leaves the port to the kernel.
func WithLocalAddr(addr string) ConnOption { return func(c *connConfig) { c.localAddr = addr } }

// WithHappyEyeballs tries the addresses of a name side by side, RFC 8305:
// happy_eyeballs_delay. The next attempt starts when the last one has failed, or is delay
// old; the first that succeeds wins, and the others end. interleave reorders the
// addresses: so many of the first family, then the families in turn, where asyncio's
// default is 1; 0 leaves the order.
func WithHappyEyeballs(delay time.Duration, interleave int) ConnOption {
	return func(c *connConfig) { c.delay, c.interleave = max(0, delay), interleave }
}

// WithLimit sets the limit of a stream's reader, in bytes: how long a line or record may
// be, and half of what is buffered before the peer is held back. The default is 64 KiB.
// It panics with ErrInvalidState unless n is positive.
func WithLimit(n int) ConnOption {
	checkLimit(n)
	return func(c *connConfig) { c.limit = n }
}

// WithBacklog sets how many connections the kernel holds before they are accepted. The
// default is 100.
func WithBacklog(n int) ConnOption { return func(c *connConfig) { c.backlog = n } }

// WithReusePort lets several sockets listen on one port, SO_REUSEPORT: the kernel spreads
// the connections.
func WithReusePort() ConnOption { return func(c *connConfig) { c.reusePort = true } }

// WithReuseAddr turns SO_REUSEADDR on or off, which lets a server take a port whose
// former connections are in TIME_WAIT. The default is on, except on Windows.
func WithReuseAddr(on bool) ConnOption { return func(c *connConfig) { c.reuseAddr = on } }

// WithKeepAlive turns SO_KEEPALIVE on or off for the connection, or for those that a
// server accepts. The default is off.
func WithKeepAlive(on bool) ConnOption { return func(c *connConfig) { c.keepAlive = on } }

// WithStartServing decides whether a server accepts from the beginning, which is the
// default, or from StartServing on.
func WithStartServing(on bool) ConnOption { return func(c *connConfig) { c.startServing = on } }

// checkLimit panics unless n is a limit.
func checkLimit(n int) {
	if n <= 0 {
		panic(misuse(ErrInvalidState, "the limit of a stream's reader must be positive, not %d", n))
	}
}
