package asynchttp

// The connections of one loop that no round trip uses, the last one used first.

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptrace"
	"slices"

	"github.com/seed-a026a017/asyncio"
)

type pool struct {
	transport *Transport
	loop      *asyncio.Loop
	idle      map[hostKey][]*clientConn
	open      int // connections, idle or not, and those that are being made
}

// take is a connection for r: one that is kept, or a new one.
func (p *pool) take(ctx context.Context, r *http.Request) (*clientConn, error) {
	key := keyOf(r)
	trace := traceOf(ctx)
	if trace.GetConn != nil {
		trace.GetConn(key.address)
	}
	info := httptrace.GotConnInfo{}
	var c *clientConn
	if kept := p.idle[key]; len(kept) > 0 {
		c = kept[len(kept)-1]
		p.remove(c)
		c.idle, c.readBy, c.reused = false, 0, true
		info.Reused, info.WasIdle, info.IdleTime = true, true, p.loop.Time()-c.since
	} else {
		var err error
		if c, err = p.dial(ctx, key, r); err != nil {
			return nil, err
		}
	}
	if trace.GotConn != nil {
		info.Conn = newHijackedConn(&c.wire, ctx)
		trace.GotConn(info)
	}
	return c, nil
}

// dial makes a connection.
func (p *pool) dial(ctx context.Context, key hostKey, r *http.Request) (*clientConn, error) {
	c := &clientConn{pool: p, key: key}
	c.loop, c.owner = p.loop, c
	var opts []asyncio.ConnectOption
	if key.scheme == "https" {
		opts = append(opts, asyncio.WithTLS(p.transport.tlsConfig(r.URL.Hostname())))
	}
	p.open++
	if _, _, err := p.loop.CreateConnection(ctx, func() asyncio.Protocol { return c }, "tcp", key.address, opts...); err != nil {
		if c.transport == nil { // else it hears ConnectionLost
			p.closed()
		}
		return nil, err
	}
	if state, ok := c.transport.ExtraInfo("ssl_object").(tls.ConnectionState); ok {
		c.tls = &state
	}
	return c, nil
}

func (t *Transport) tlsConfig(host string) *tls.Config {
	cfg := &tls.Config{}
	if t.TLSClientConfig != nil {
		cfg = t.TLSClientConfig.Clone()
	}
	if cfg.ServerName == "" {
		cfg.ServerName = host
	}
	cfg.NextProtos = []string{"http/1.1"}
	return cfg
}

// keep takes a connection back that can serve another round trip, if there is room.
func (p *pool) keep(c *clientConn) bool {
	limit := p.transport.MaxIdleConnsPerHost
	if limit == 0 {
		limit = idlePerHostDefault
	}
	if len(p.idle[c.key]) >= limit {
		return false
	}
	p.idle[c.key] = append(p.idle[c.key], c)
	timeout := p.transport.IdleConnTimeout
	if timeout == 0 {
		timeout = idleTimeoutDefault
	}
	c.since, c.idle = p.loop.Time(), true
	c.setReadBy(c.after(timeout))
	return true
}

// remove takes a connection out.
func (p *pool) remove(c *clientConn) {
	kept := p.idle[c.key]
	if i := slices.Index(kept, c); i >= 0 {
		kept = slices.Delete(kept, i, i+1)
	}
	if p.idle[c.key] = kept; len(kept) == 0 {
		delete(p.idle, c.key)
	}
}

// closeAll closes what is idle.
func (p *pool) closeAll() {
	for _, kept := range p.idle {
		for _, c := range slices.Clone(kept) {
			c.end()
		}
	}
}

// closed notes that a connection is lost, or was not made.
func (p *pool) closed() {
	p.open--
	if p.open == 0 {
		p.transport.forget(p)
	}
}
