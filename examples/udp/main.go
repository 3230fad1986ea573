// Udp shows a name server and its client over UDP, in DNS's own format:
// loop.create_datagram_endpoint, DatagramProtocol, and datagrams without callbacks.
//
// The server is a protocol: one callback for each datagram, one datagram for the answer.
// UDP promises nothing, so the client is where the work is: an answer may be lost, late
// or a forgery. It asks again when time is up, and takes only what fits a question that
// is open. Any number of lookups share its socket.
//
// Without flags it talks to itself. With -listen it serves until Ctrl-C:
//
//	go run ./examples/udp -listen 127.0.0.1:5353
//	dig @127.0.0.1 -p 5353 nas.home AAAA
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio"
)

const (
	// triesMax is how often a question is asked; each time the client waits twice as long
	// as before, from firstWait on.
	triesMax  = 8
	firstWait = 50 * time.Millisecond
	// patience is how long we wait for a server that is not there, before we give up.
	patience = 300 * time.Millisecond
	// ttl is how long an answer may be kept, in seconds.
	ttl = 60
)

// zone is all that the server knows.
var zone = map[string][]netip.Addr{
	"printer.home.": {netip.MustParseAddr("192.0.2.7")},
	"nas.home.":     {netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("2001:db8::10")},
}

func main() {
	listen := flag.String("listen", "", "serve on this `address` until Ctrl-C; port 0 picks one")
	flag.Parse()
	run := demo
	if *listen != "" {
		run = func() error { return serve(*listen) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "udp:", err)
		os.Exit(1)
	}
}

// server answers questions about zone.
type server struct {
	asyncio.NullDatagramProtocol // whatever we do not care for
	transport                    *asyncio.DatagramTransport
	deaf                         int // so many questions are not heard, as if they were lost
}

// ConnectionMade is the first call. Nothing is received before it.
func (s *server) ConnectionMade(t *asyncio.DatagramTransport) { s.transport = t }

// DatagramReceived answers one question. data is the loop's again when we return; SendTo
// never waits, and keeps nothing of what it is given.
func (s *server) DatagramReceived(data []byte, client net.Addr) {
	q, err := parseQuestion(data)
	if err != nil {
		return // whoever sent it does not speak DNS
	}
	if s.deaf > 0 {
		s.deaf--
		return
	}
	addrs, known := zone[strings.ToLower(q.name)]
	if err := s.transport.SendTo(q.answer(addrs, known), client); err != nil {
		s.transport.Abort()
	}
}

// start opens a server. It serves in the background, for as long as the loop runs.
func start(ctx context.Context, address string) (*server, error) {
	loop, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return nil, err
	}
	s := &server{}
	_, _, err = loop.CreateDatagramEndpoint(ctx, func() asyncio.DatagramProtocol { return s }, "udp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return s, nil
}

// resolver asks one server.
type resolver struct {
	endpoint *asyncio.DatagramEndpoint
	open     map[uint16]*asyncio.Future[[]byte] // questions by their number
}

// dial opens a resolver. It is connected, so it hears of nobody but the server.
func dial(ctx context.Context, address string) (*resolver, error) {
	e, err := asyncio.OpenDatagram(ctx, "udp", "", asyncio.WithRemoteAddr(address))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	return &resolver{endpoint: e, open: make(map[uint16]*asyncio.Future[[]byte])}, nil
}

// receive gives answers to those who wait for them, until the endpoint is closed.
func (r *resolver) receive(ctx context.Context) error {
	for {
		data, _, err := r.endpoint.Receive(ctx)
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case errors.Is(err, syscall.ECONNREFUSED): // nobody listens; the question will be asked again
		case err != nil:
			return err
		case len(data) >= headerBytes:
			if question := r.open[binary.BigEndian.Uint16(data)]; question != nil {
				_ = question.SetResult(data) // it fails for the second answer to a question: nobody needs that
			}
		}
	}
}

// number is one that no open question has. That it is random makes a forgery hard.
func (r *resolver) number() uint16 {
	for {
		n := uint16(rand.Uint32())
		if r.open[n] == nil {
			return n
		}
	}
}

var errNoSuchName = errors.New("there is no such name")

// lookup asks for the addresses of a name until somebody answers.
func (r *resolver) lookup(ctx context.Context, name string, kind uint16) ([]netip.Addr, error) {
	q := question{id: r.number(), name: name + ".", kind: kind}
	for wait := firstWait; ; wait *= 2 {
		answer := asyncio.NewFuture[[]byte](r.endpoint.Transport().Loop())
		r.open[q.id] = answer
		if err := r.endpoint.SendTo(q.bytes(), nil); err != nil {
			return nil, err
		}
		data, err := asyncio.WaitFor(ctx, answer, wait)
		delete(r.open, q.id)
		switch {
		case err == nil:
			return q.parseAnswer(data)
		case !errors.Is(err, asyncio.ErrTimeout):
			return nil, err
		case wait >= firstWait<<(triesMax-1):
			return nil, fmt.Errorf("nobody has answered %d questions: %w", triesMax, err)
		}
	}
}

// serve runs a server until Ctrl-C or SIGTERM.
func serve(address string) error {
	stop, restore := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer restore()
	context.AfterFunc(stop, restore) // a second Ctrl-C does not ask
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		s, err := start(ctx, address)
		if err != nil {
			return err
		}
		defer s.transport.Close()
		fmt.Println("listening on", s.transport.LocalAddr())
		return asyncio.Sleep(ctx, asyncio.Forever) // until the end of stop cancels it
	}), asyncio.WithContext(stop))
	if stop.Err() != nil && errors.Is(err, asyncio.ErrCancelled) {
		return nil // it was meant to end
	}
	return err
}

// demo has a resolver ask a server of the same loop.
func demo() error {
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		s, err := start(ctx, "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer s.transport.Close()
		r, err := dial(ctx, s.transport.LocalAddr().String())
		if err != nil {
			return err
		}
		return asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
			tg.Go(r.receive)
			defer r.endpoint.Close() // which ends receive
			return ask(ctx, s, r)
		})
	}))
	return err
}

// ask asks a few questions at once, and one that is lost twice.
func ask(ctx context.Context, s *server, r *resolver) error {
	var lookups []asyncio.Awaitable[string]
	for _, q := range []struct {
		name string
		kind uint16
	}{{"printer.home", typeA}, {"nas.home", typeA}, {"nas.home", typeAAAA}, {"printer.home", typeAAAA}, {"scanner.home", typeA}} {
		lookups = append(lookups, asyncio.Coro[string](func(ctx context.Context) (string, error) {
			addrs, err := r.lookup(ctx, q.name, q.kind)
			if errors.Is(err, errNoSuchName) {
				return fmt.Sprintf("%s: %v", q.name, err), nil
			}
			return fmt.Sprintf("%s has %d of type %d: %v", q.name, len(addrs), q.kind, addrs), err
		}))
	}
	lines, err := asyncio.Gather(ctx, lookups...).Await(ctx)
	if err != nil {
		return err
	}
	fmt.Println(strings.Join(lines, "\n"))

	s.deaf = 2
	addrs, err := r.lookup(ctx, "nas.home", typeA)
	if err != nil {
		return err
	}
	fmt.Printf("two questions were lost, the third found %v\n", addrs)

	s.deaf = math.MaxInt
	err = asyncio.Timeout(ctx, patience, func(ctx context.Context) error {
		_, err := r.lookup(ctx, "nas.home", typeA)
		return err
	})
	if !errors.Is(err, asyncio.ErrTimeout) {
		return fmt.Errorf("a lookup without an answer: %w", err)
	}
	fmt.Println("then all were lost, and we gave up")
	return nil
}

// The rest is DNS as far as it is needed, RFC 1035: one question in a message, and
// addresses for answers.

const (
	headerBytes = 12
	typeA       = 1
	typeAAAA    = 28
	classIN     = 1

	flagResponse      = 0x8000
	flagAuthoritative = 0x0400
	flagRecurse       = 0x0100 // the client would like it
	codeNoSuchName    = 3
)

var errFormat = errors.New("not a message of DNS")

// question is what a message asks.
type question struct {
	id, flags  uint16
	name       string // with a dot at its end
	kind, code uint16 // code: that of the response
}

// bytes is the message that asks.
func (q question) bytes() []byte { return q.message(flagRecurse, 0) }

// message is a message with the question and nothing else.
func (q question) message(flags uint16, answers int) []byte {
	b := binary.BigEndian.AppendUint16(nil, q.id)
	for _, n := range []uint16{flags, 1, uint16(answers), 0, 0} {
		b = binary.BigEndian.AppendUint16(b, n)
	}
	for _, label := range strings.Split(strings.TrimSuffix(q.name, "."), ".") {
		b = append(append(b, byte(len(label))), label...)
	}
	b = append(b, 0)
	b = binary.BigEndian.AppendUint16(b, q.kind)
	return binary.BigEndian.AppendUint16(b, classIN)
}

// answer is the response with those addresses that were asked for.
func (q question) answer(addrs []netip.Addr, known bool) []byte {
	var records []byte
	n := 0
	for _, a := range addrs {
		if a.Is4() != (q.kind == typeA) || q.kind != typeA && q.kind != typeAAAA {
			continue
		}
		n++
		// The name is where the question has it.
		for _, v := range []uint16{0xc000 | headerBytes, q.kind, classIN, 0, ttl, uint16(a.BitLen() / 8)} {
			records = binary.BigEndian.AppendUint16(records, v)
		}
		records = append(records, a.AsSlice()...)
	}
	flags := uint16(flagResponse | flagAuthoritative | q.flags&flagRecurse)
	if !known {
		flags |= codeNoSuchName
	}
	return append(q.message(flags, n), records...)
}

// parseQuestion reads the question of a message.
func parseQuestion(b []byte) (question, error) {
	q, _, err := parse(b)
	if err == nil && q.flags&flagResponse != 0 {
		err = errFormat
	}
	return q, err
}

// parse reads the header and the question, and returns what follows.
func parse(b []byte) (q question, rest []byte, err error) {
	if len(b) < headerBytes || binary.BigEndian.Uint16(b[4:]) != 1 {
		return q, nil, errFormat
	}
	q.id, q.flags = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	q.code = q.flags & 0xf
	rest = b[headerBytes:]
	for len(rest) > 0 && rest[0] != 0 {
		n := int(rest[0])
		if n > 63 || len(rest) < 1+n {
			return q, nil, errFormat
		}
		q.name += string(rest[1:1+n]) + "."
		rest = rest[1+n:]
	}
	if len(rest) < 5 {
		return q, nil, errFormat
	}
	q.kind = binary.BigEndian.Uint16(rest[1:])
	return q, rest[5:], nil
}

// parseAnswer reads the addresses of a response to q.
func (q question) parseAnswer(b []byte) ([]netip.Addr, error) {
	response, rest, err := parse(b)
	switch {
	case err != nil:
		return nil, err
	case response.flags&flagResponse == 0 || response.name != q.name || response.kind != q.kind:
		return nil, fmt.Errorf("an answer to another question: %w", errFormat)
	case response.code == codeNoSuchName:
		return nil, errNoSuchName
	case response.code != 0:
		return nil, fmt.Errorf("the server has failed with code %d", response.code)
	}
	var addrs []netip.Addr
	const recordBytes = 12 // before the address
	for range binary.BigEndian.Uint16(b[6:]) {
		if len(rest) < recordBytes {
			return nil, errFormat
		}
		n := int(binary.BigEndian.Uint16(rest[10:]))
		if len(rest) < recordBytes+n {
			return nil, errFormat
		}
		if a, ok := netip.AddrFromSlice(rest[recordBytes : recordBytes+n]); ok {
			addrs = append(addrs, a)
		}
		rest = rest[recordBytes+n:]
	}
	return addrs, nil
}
