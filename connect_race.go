package asyncio

// A dial is a race of attempts to connect, of which the first that succeeds wins. An
// attempt starts when the last one has failed, or when it has taken a given time, which
// is for ever unless happy eyeballs are asked for. All of a race happens on the loop, in
// callbacks of the driver and a timer; the task only waits for its end.

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// dial connects to the first of the addresses that answers. The stream is the caller's.
func (l *Loop) dial(ctx context.Context, a awaiter, network, address string, c connectConfig) (proactor.Stream, error) {
	if err := checkNetwork(network, streamNetworks); err != nil {
		return nil, err
	}
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
	r := &race{loop: l, delay: c.delay, keepAlive: c.keepAlive}
	for _, remote := range interleave(remotes, c.interleave) {
		r.left = append(r.left, routesTo(remote, locals)...)
	}
	return r.run(a)
}

// isIPv4 tells the families apart.
func isIPv4(a net.Addr) bool {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.IP.To4() != nil
	case *net.UDPAddr:
		return a.IP.To4() != nil
	}
	return false
}

// interleave takes the first n addresses of the first family, and then one of each family
// in turn; 0 leaves the order.
func interleave(addrs []net.Addr, n int) []net.Addr {
	if n <= 0 {
		return addrs
	}
	var first, other []net.Addr
	for _, a := range addrs {
		if isIPv4(a) == isIPv4(addrs[0]) {
			first = append(first, a)
		} else {
			other = append(other, a)
		}
	}
	n = min(n-1, len(first))
	mixed := append([]net.Addr(nil), first[:n]...)
	for first = first[n:]; len(first) > 0 || len(other) > 0; {
		if len(first) > 0 {
			mixed, first = append(mixed, first[0]), first[1:]
		}
		if len(other) > 0 {
			mixed, other = append(mixed, other[0]), other[1:]
		}
	}
	return mixed
}

// route is one way to try.
type route struct {
	remote, local net.Addr
	err           error // why it cannot be tried
}

// routesTo combines remote with the local addresses of its family.
func routesTo(remote net.Addr, locals []net.Addr) []route {
	var routes []route
	for _, local := range locals {
		if local == nil || isIPv4(local) == isIPv4(remote) {
			routes = append(routes, route{remote: remote, local: local})
		}
	}
	if routes == nil {
		err := fmt.Errorf("asyncio: connect to %v: no matching local address of its family in %v", remote, locals)
		routes = append(routes, route{remote: remote, err: err})
	}
	return routes
}

// race is open while over is false. Then the task knows the winner, or is about to learn
// that there is none.
type race struct {
	loop      *Loop
	delay     time.Duration
	keepAlive bool
	left      []route
	attempts  []attempt
	running   int
	timer     *TimerHandle // starts the next attempt, or nil
	winner    proactor.Stream
	over      bool
	done      waitPoint
}

// attempt is one that was started.
type attempt struct {
	cancel func()
	err    error
}

// run is the whole race.
func (r *race) run(a awaiter) (proactor.Stream, error) {
	if len(r.left) == 0 {
		return nil, r.failure()
	}
	r.startNext()
	err := r.done.wait(a)
	r.finish()
	if err != nil {
		if r.winner != nil {
			r.winner.Close() // it came, but so did a cancellation
		}
		return nil, err
	}
	if r.winner == nil {
		return nil, r.failure()
	}
	return r.winner, nil
}

// startNext starts the next attempt, and the clock for the one after it.
func (r *race) startNext() {
	next := r.left[0]
	r.left = r.left[1:]
	i := len(r.attempts)
	r.attempts = append(r.attempts, attempt{})
	r.running++
	if next.err != nil {
		r.loop.CallSoon(func() { r.completed(i, nil, next.err) })
	} else {
		opt := proactor.ConnectOptions{Local: next.local, KeepAlive: r.keepAlive}
		r.loop.counters.pending++
		r.attempts[i].cancel = r.loop.pro.Connect(next.remote, opt, func(s proactor.Stream, err error) {
			r.loop.counters.pending--
			r.completed(i, s, err)
		})
	}
	r.timer = nil
	if len(r.left) > 0 && r.delay != Forever {
		r.timer = r.loop.CallLater(r.delay, r.startNext)
	}
}

// completed is the end of attempt i.
func (r *race) completed(i int, s proactor.Stream, err error) {
	r.running--
	r.attempts[i].cancel = nil
	switch {
	case r.over:
		if s != nil {
			s.Close()
		}
		return
	case err == nil:
		r.winner = s
	default:
		r.attempts[i].err = err
		if i == len(r.attempts)-1 && len(r.left) > 0 {
			r.stopTimer()
			r.startNext()
		}
		if r.running > 0 || len(r.left) > 0 {
			return
		}
	}
	r.finish()
	r.done.wake(nil)
}

func (r *race) stopTimer() {
	if r.timer != nil {
		r.timer.Cancel()
	}
}

// finish ends the attempts that are left.
func (r *race) finish() {
	r.over = true
	r.stopTimer()
	for _, a := range r.attempts {
		if a.cancel != nil {
			a.cancel()
		}
	}
}

// failure is the error of a race without a winner.
func (r *race) failure() error {
	var errs connectError
	alike := true
	for _, a := range r.attempts {
		errs = append(errs, a.err)
		alike = alike && a.err.Error() == errs[0].Error()
	}
	switch {
	case len(errs) == 0:
		return fmt.Errorf("%w: there was no address to connect to", ErrTimeout)
	case alike:
		return errs[0]
	}
	return errs
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
