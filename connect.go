package asyncio

// Opening connections: dial, then hand the connection to its protocol.

import (
	"context"
	"fmt"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// enterTask is enter for calls that only a task can make.
func enterTask(ctx context.Context, method string) (awaiter, error) {
	a, err := enter(ctx)
	if err == nil && a.task == nil {
		err = notInTask(method)
	}
	return a, err
}

func notInTask(method string) error {
	return fmt.Errorf("%w: %s was called outside of a task; use the context that a coroutine was given", ErrNotCurrentTask, method)
}

// enterOn is enter for calls that only a task of the loop can make.
func (l *Loop) enterOn(ctx context.Context, method string) (awaiter, error) {
	a, err := enter(ctx)
	if err == nil && (a.task == nil || a.task.loop != l || l.IsClosed()) {
		err = l.refuse(a, method)
	}
	return a, err
}

// refuse tells why a cannot make a call on the loop.
func (l *Loop) refuse(a awaiter, method string) error {
	switch {
	case l.IsClosed():
		return fmt.Errorf("%w: %s needs an open loop", ErrLoopClosed, method)
	case a.task == nil:
		return notInTask(method)
	}
	return fmt.Errorf("%w: %s was called by a task of another loop", ErrWrongLoop, method)
}

// CreateConnection connects to address and returns the transport with the protocol that
// factory has made for it: loop.create_connection, and create_unix_connection. network is
// "tcp", "tcp4", "tcp6" or "unix"; address is as in package net, and an empty host is
// this one. If a name stands for several addresses they are tried in order, see also
// WithHappyEyeballs. The error is that of the only one; if several failed, the first if
// all read alike, else one that joins them.
// It is for a task of the loop. ConnectionMade has returned when CreateConnection does.
// Suspends. Cancelled: the connection is closed; a protocol whose ConnectionMade was
// called hears ConnectionLost.
func (l *Loop) CreateConnection(ctx context.Context, factory func() Protocol, network, address string, opts ...ConnOption) (Transport, Protocol, error) {
	if factory == nil {
		panic(misuse(ErrInvalidState, "CreateConnection was given a nil factory"))
	}
	a, err := l.enterOn(ctx, "CreateConnection")
	if err != nil {
		return nil, nil, err
	}
	s, err := a.dial(ctx, network, address, newConnConfig(opts))
	if err != nil {
		return nil, nil, err
	}
	t, err := a.adopt(s, factory)
	if err != nil {
		return nil, nil, err
	}
	return t, t.protocol, nil
}

// adoption is a connected stream whose ConnectionMade waits in the ready queue.
type adoption struct {
	transport *streamTransport
	made      waitPoint
}

// adopt gives s to the protocol that factory makes, and owns s whatever happens.
func (a awaiter) adopt(s proactor.Stream, factory func() Protocol) (*streamTransport, error) {
	l := a.task.loop
	var t *streamTransport
	defer func() {
		if t == nil { // the factory has panicked
			s.Close()
		}
	}()
	t = newStreamTransport(l, s, factory(), nil)
	c := &adoption{transport: t}
	l.ready.push(c)
	if err := c.made.wait(a); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

func (c *adoption) run(*Loop) {
	c.transport.begin()
	c.made.wake(nil)
}
