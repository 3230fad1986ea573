package asyncio

// Opening connections: resolve, try the addresses in order, hand the connection to its protocol.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

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

// CreateConnection connects to address and returns the transport with the protocol that factory has made for it:
// loop.create_connection, and create_unix_connection. network is "tcp", "tcp4", "tcp6" or "unix"; address is as in
// package net, and an empty host is this one. If a name stands for several addresses they are tried in order. The error is
// that of the only one; if several failed, the first if all read alike, else one that joins them.
// It is for a task of the loop. ConnectionMade has returned when CreateConnection does.
// Suspends. Cancelled: the connection is closed; a protocol whose ConnectionMade was called hears ConnectionLost.
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

// dial connects to the first of the addresses that answers.
func (a awaiter) dial(ctx context.Context, network, address string, c connConfig) (proactor.Stream, error) {
	remotes, err := resolve(ctx, network, address, thisHost)
	if err != nil {
		return nil, err
	}
	locals := []net.Addr{nil}
	if c.localAddr != "" {
		if locals, err = resolve(ctx, network, c.localAddr, everyHost); err != nil {
			return nil, err
		}
	}
	var failures []error
	for _, remote := range remotes {
		matching := ofFamily(remote, locals)
		if len(matching) == 0 {
			failures = append(failures, fmt.Errorf("asyncio: connect to %v: no matching local address with its family in %q", remote, c.localAddr))
		}
		for _, local := range matching {
			s, err := a.connect(remote, proactor.ConnectOptions{Local: local, KeepAlive: c.keepAlive})
			if err == nil {
				return s, nil
			}
			if a.interrupted(err) {
				return nil, err
			}
			failures = append(failures, err)
		}
	}
	return nil, joinConnectErrors(failures)
}

// ofFamily is those of the local addresses that remote can be reached from.
func ofFamily(remote net.Addr, locals []net.Addr) []net.Addr {
	var matching []net.Addr
	for _, local := range locals {
		l, isTCP := local.(*net.TCPAddr)
		if !isTCP || (l.IP.To4() != nil) == (remote.(*net.TCPAddr).IP.To4() != nil) {
			matching = append(matching, local)
		}
	}
	return matching
}

// interrupted tells whether err ended the wait, and not the attempt.
func (a awaiter) interrupted(err error) bool {
	return asCancelled(err) != nil || errors.Is(err, ErrLoopClosed) || a.foreign != nil && a.foreign.Err() != nil
}

// attempt is one Connect that a task waits for.
type attempt struct {
	done   waitPoint
	stream proactor.Stream
	left   bool // nobody waits any more
}

// connect is the driver's Connect, awaited.
func (a awaiter) connect(remote net.Addr, opt proactor.ConnectOptions) (proactor.Stream, error) {
	c := &attempt{}
	cancel := a.task.loop.pro.Connect(remote, opt, c.completed)
	err := c.done.wait(a)
	if err == nil {
		return c.stream, nil
	}
	c.left = true
	cancel()
	if c.stream != nil {
		c.stream.Close() // it came, but so did a cancellation
	}
	return nil, err
}

func (c *attempt) completed(s proactor.Stream, err error) {
	if c.left {
		if s != nil {
			s.Close()
		}
		return
	}
	c.stream = s
	c.done.wake(err)
}

// connectError joins what several addresses have answered.
type connectError []error

func (e connectError) Error() string {
	texts := make([]string, len(e))
	for i, err := range e {
		texts[i] = err.Error()
	}
	return "Multiple exceptions: " + strings.Join(texts, ", ")
}

// Unwrap gives the errors in the order of the attempts.
func (e connectError) Unwrap() []error { return e }

func joinConnectErrors(errs []error) error {
	for _, err := range errs {
		if err.Error() != errs[0].Error() {
			return connectError(errs)
		}
	}
	return errs[0]
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
