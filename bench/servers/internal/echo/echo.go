// Package echo is the echo of callbacks that several servers on asyncio are made of. It
// stands apart from package serve so that the servers without asyncio do not link it.
package echo

import (
	"context"

	"github.com/seed-a026a017/asyncio"
)

// protocol sends back what it receives, and reads no more while the peer does not take it.
type protocol struct {
	asyncio.NullProtocol
	transport asyncio.Transport
}

func (p *protocol) ConnectionMade(t asyncio.Transport) { p.transport = t }
func (p *protocol) DataReceived(data []byte)           { p.transport.Write(data) }
func (p *protocol) PauseWriting()                      { p.transport.PauseReading() }
func (p *protocol) ResumeWriting()                     { p.transport.ResumeReading() }

// New is a connection's protocol.
func New() asyncio.Protocol { return new(protocol) }

// Serve serves with the protocols of a factory until the task of ctx is cancelled.
func Serve(ctx context.Context, factory func() asyncio.Protocol, network, address string, opts ...asyncio.ServerOption) error {
	loop, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return err
	}
	server, err := loop.CreateServer(ctx, factory, network, address, append(opts, asyncio.WithBacklog(4096))...)
	if err != nil {
		return err
	}
	return server.ServeForever(ctx)
}
