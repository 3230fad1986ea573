//go:build cgo

package uv_test

// Memory that is refused: a scenario runs again and again, and each time another
// allocation of libuv's or the bridge's fails, alone or with all those behind it, until
// there was none left to fail. The failure comes out as an error, and nothing is left
// behind.

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/cbridge"
	"github.com/seed-a026a017/asyncio/uv"
)

func TestMemoryRefused(t *testing.T) {
	for _, mode := range []string{"once", "for good"} {
		t.Run(mode, func(t *testing.T) {
			for name := range memoryScenarios {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					out := inChild(t, "memory", name, mode)
					var failures, silent int
					_, err := fmt.Sscanf(out, "%d failures, %d silent", &failures, &silent)
					require.NoError(t, err, out)
					t.Log(out)
					require.Greater(t, failures, 3)
					require.LessOrEqual(t, silent, failures/5+2, "what is not told does not matter: %s", out)
				})
			}
		})
	}
	t.Run("first", func(t *testing.T) {
		var failures int
		out := inChild(t, "memory", "first", "once")
		_, err := fmt.Sscanf(out, "%d failures", &failures)
		require.NoError(t, err, out)
		require.Greater(t, failures, 15)
	})
}

// memoryScenarios are sequences of steps, which run one after the other on one loop.
var memoryScenarios = map[string]func(m *memories) []func(){
	"timers":   func(m *memories) []func() { return []func(){m.timer, m.phases} },
	"streams":  func(m *memories) []func() { return []func(){m.tcp, m.pipe} },
	"sockets":  func(m *memories) []func() { return []func(){m.udp, m.udpMany, m.poll} },
	"requests": func(m *memories) []func() { return []func(){m.requests} },
	"files":    (*memories).fileSteps,
	"paths":    (*memories).pathSteps,
	"at once":  func(m *memories) []func() { return []func(){m.atOnce, m.filesAtOnce, m.system, m.lib} },
	"changes":  func(m *memories) []func() { return []func(){m.fsEvent, m.fsPoll, m.signal} },
	"children": func(m *memories) []func() { return []func(){m.child} },
	"handles":  func(m *memories) []func() { return []func(){m.passHandles, m.terminal} },
}

func childMemory(args []string) error {
	if !cbridge.CountAllocations() {
		return errors.New("cannot count allocations")
	}
	if args[0] == "first" {
		return memoryFirst()
	}
	steps, forGood := memoryScenarios[args[0]], args[1] == "for good"
	if told, err := memoryScenario(steps, nil); err != nil || len(told) > 0 { // opens what a process keeps
		return fmt.Errorf("without a failure: %v, %w", told, err)
	}
	silent, before, live := 0, len(descriptors()), cbridge.LiveAllocations()
	for n := int64(1); ; n++ {
		armed, refused := false, false
		told, err := memoryScenario(steps, func(on bool) {
			switch {
			case !on:
				if left := cbridge.FailAllocation(0); armed {
					armed, refused = false, left <= 0
				}
			case forGood:
				armed = true
				cbridge.FailAllocations(n)
			default:
				armed = true
				cbridge.FailAllocation(n)
			}
		})
		if err != nil {
			return fmt.Errorf("allocation %d, after %v: %w", n, told, err)
		}
		if !refused {
			fmt.Println(n-1, "failures,", silent, "silent")
			return nil
		}
		if len(told) == 0 {
			silent++
		} else if !errors.Is(errors.Join(told...), uv.ENOMEM) {
			return fmt.Errorf("allocation %d: %v, none of which is ENOMEM", n, told)
		}
		if fds := len(descriptors()); fds != before {
			return fmt.Errorf("allocation %d, after %v: %d descriptors in place of %d", n, told, fds, before)
		}
		if now := cbridge.LiveAllocations(); now != live {
			return fmt.Errorf("allocation %d, after %v: %d allocations are left", n, told, now-live)
		}
	}
}

// memoryFirst makes the first loop, the first request on the pool and the first child of
// a process, which make more than later ones.
func memoryFirst() error {
	first := func() error {
		l, err := uv.NewLoop()
		if err != nil {
			return err
		}
		_, err = l.Random(make([]byte, 8), nil)
		exited := func(uv.ExitStatus) {}
		if _, e := l.Spawn(uv.SpawnOptions{File: "true"}, exited); e != nil {
			err = errors.Join(err, e)
		} else if _, e := l.Run(uv.RunDefault); e != nil {
			err = errors.Join(err, e)
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return errors.Join(err, l.Shutdown(ctx))
	}
	for n := int64(1); ; n++ {
		cbridge.FailAllocation(n)
		err := first()
		if cbridge.FailAllocation(0) > 0 {
			fmt.Println(n-1, "failures")
			return err
		}
		if err != nil && !errors.Is(err, uv.ENOMEM) {
			return fmt.Errorf("allocation %d: %w", n, err)
		}
		if live := cbridge.LiveAllocations(); live != 0 {
			return fmt.Errorf("allocation %d, after %v: %d allocations are left", n, err, live)
		}
	}
}

// memories is a run of the scenario.
type memories struct {
	l       *uv.Loop
	dir     string
	told    []error
	waiting int // callbacks that must come
	file    *uv.File
	listed  *uv.Dir
	open    []func(done func(error)) *uv.Req // closes what is open
}

// memoryScenario runs steps on a loop of its own. It returns what their calls and
// callbacks have told, and as an error what may not happen. refuse turns the refusal of
// memory on and off: what a step could not close for want of it is closed after that.
func memoryScenario(steps func(*memories) []func(), refuse func(on bool)) (told []error, err error) {
	dir, err := os.MkdirTemp("/tmp", "uv")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if refuse != nil {
		refuse(true)
		defer refuse(false)
	}
	l, err := uv.NewLoop()
	if err != nil {
		return []error{err}, nil
	}
	m := &memories{l: l, dir: dir}
	all := steps(m)
	for i := 0; i < len(all) || len(m.open) > 0; i++ {
		if i < len(all) {
			all[i]()
		} else if refuse != nil {
			refuse(false)
			m.closeOpen()
		}
		for end := time.Now().Add(patience); m.waiting > 0; {
			if time.Now().After(end) {
				return m.told, fmt.Errorf("%d callbacks of step %d are missing", m.waiting, i)
			}
			if err := l.Poll(10 * time.Millisecond); err != nil {
				return m.told, err
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return m.told, l.Shutdown(ctx)
}

// note notes an error, and reports whether there is none.
func (m *memories) note(err error) bool {
	if err != nil {
		m.told = append(m.told, err)
	}
	return err == nil
}

// begin is a callback that must come.
func (m *memories) begin() func(error) {
	m.waiting++
	return m.later()
}

// later is a callback that must come if its call has begun.
func (m *memories) later() func(error) {
	return func(err error) {
		m.waiting--
		m.note(err)
	}
}

func (m *memories) begun(err error) bool {
	if err == nil {
		m.waiting++
	}
	return m.note(err)
}

func (m *memories) timer() {
	if timer, err := m.l.NewTimer(); m.note(err) {
		m.begun(timer.Start(time.Millisecond, 0, func() { m.waiting-- }))
	}
}

// talk sends more than the kernel takes at once, and reads it.
func (m *memories) talk(from, to stream) {
	const size = 1 << 20
	data, got, over := make([]byte, size), 0, false
	end := func() {
		if !over {
			over = true
			m.waiting--
		}
	}
	if !m.begun(to.ReadStart(func(b []byte, err error) {
		if got += len(b); err != nil || got == size {
			m.note(err)
			end()
		}
	})) {
		return
	}
	m.waiting++
	if err := from.Write(data, func(err error) {
		m.waiting--
		if !m.note(err) {
			end()
		}
	}); !m.note(err) {
		m.waiting--
		end()
	}
}

func (m *memories) tcp() {
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		ln, err := m.l.NewTCP()
		if !m.note(err) || !m.note(ln.Bind(netip.MustParseAddrPort(at), 0)) {
			return
		}
		c, err := m.l.NewTCPFamily(syscall.AF_INET)
		if strings.HasPrefix(at, "[") {
			c, err = m.l.NewTCP()
		}
		if !m.note(err) {
			return
		}
		accepted := func(s *uv.TCP, err error) {
			m.waiting--
			if m.note(err) {
				m.talk(c, s)
			} else {
				c.Close()
			}
			ln.Close()
		}
		if !m.begun(ln.Listen(8, accepted)) {
			return
		}
		addr, err := ln.LocalAddr()
		if !m.note(err) || !m.begun(c.Connect(addr, m.later())) {
			m.waiting--
			ln.Close()
		}
	}
}

func (m *memories) pipe() {
	path := filepath.Join(m.dir, "s")
	ln, err := m.l.NewPipe()
	if !m.note(err) || !m.note(ln.Bind(path)) {
		return
	}
	c, err := m.l.NewPipe()
	if !m.note(err) {
		return
	}
	accepted := func(s *uv.Pipe, err error) {
		m.waiting--
		if m.note(err) {
			m.talk(s, c)
		}
		ln.Close()
	}
	if !m.begun(ln.Listen(8, accepted)) {
		return
	}
	if !m.begun(c.Connect(path, m.later())) {
		m.waiting--
		ln.Close()
	}
}

func (m *memories) udp() {
	a, err := m.l.NewUDP(uv.UDPOptions{Recvmmsg: true})
	if !m.note(err) || !m.note(a.Bind(loopback, 0)) {
		return
	}
	b, err := m.l.NewUDP(uv.UDPOptions{Family: syscall.AF_INET})
	if !m.note(err) {
		return
	}
	if !m.begun(a.RecvStart(func(_ uv.Datagram, err error) {
		m.note(err)
		if !a.IsClosing() {
			m.waiting--
			a.Close()
		}
	})) {
		return
	}
	addr, err := a.LocalAddr()
	if !m.note(err) || !m.begun(b.Send([]byte("hello"), addr, m.later())) {
		m.waiting--
		a.Close()
	}
}

func (m *memories) poll() {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if !m.note(err) {
		return
	}
	p, err := m.l.NewPoll(uintptr(fds[0]))
	if m.note(err) {
		m.begun(p.Start(uv.Writable, func(_ uv.PollEvents, err error) {
			m.waiting--
			m.note(err)
			p.Close()
		}))
	}
	defer func() {
		for end := time.Now().Add(patience); m.waiting > 0 && time.Now().Before(end); {
			m.note(m.l.Poll(10 * time.Millisecond))
		}
		syscall.Close(fds[0])
		syscall.Close(fds[1])
	}()
}

func (m *memories) requests() {
	done := m.later()
	_, err := m.l.GetAddrInfo("localhost", "", uv.AddrInfoHints{}, func(_ []uv.AddrInfo, err error) { done(err) })
	m.begun(err)
	_, err = m.l.GetAddrInfo("127.0.0.1", "80", uv.AddrInfoHints{}, func(_ []uv.AddrInfo, err error) { done(err) })
	m.begun(err)
	_, err = m.l.GetNameInfo(netip.MustParseAddrPort("127.0.0.1:80"), 0, func(_, _ string, err error) { done(err) })
	m.begun(err)
	_, err = m.l.Random(make([]byte, 100), done)
	m.begun(err)
}
