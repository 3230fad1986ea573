//go:build unix

package examples_test

// The chat in numbers: what one client says, all in its room hear, in the same order,
// byte for byte. Once with many rooms, and once with one, where a client reads nothing
// for a while.

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/examples/internal/clients"
)

const (
	// In one room a speech is short: everybody hears all of them, and what each hears is
	// still more than the kernel keeps for the slow client.
	oneRoomClients = 100
	oneRoomBytes   = 80 << 10
	// slowReadBuffer is the slow client's receive buffer in the kernel. It is fixed so
	// that it does not grow, and holds several segments of the loopback interface, which
	// are 64 KiB: a smaller window opens in steps of a timer.
	slowReadBuffer = 256 << 10
	// The room counts as held up when a client has heard nothing at so many looks in a
	// row.
	stillLooks = 10
	stillTime  = 100 * time.Millisecond
)

// meeting is the clients of a test, all of them in their rooms.
type meeting struct {
	chatters []*chatter // those of this process and of nc; the first is Go's net
	python   *pythonChatters
	stay     []*chatter // Go's net: they stay until the server ends
	cancel   func()     // ends all that they do
	over     <-chan struct{}
}

// meet lets all clients in. What is not Go's net gets the first odd numbers. They have
// interopTimeMax for everything.
func meet(t *testing.T, s *server, rooms *rooms, python, netcat int) *meeting {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), interopTimeMax)
	t.Cleanup(cancel)
	past := time.Unix(1, 0)
	m := &meeting{cancel: cancel, over: ctx.Done()}
	kinds := make(map[int]string)
	odd := 1
	for _, g := range spread(t, rooms.clients, python, netcat)[1:] {
		for range g.Count {
			require.Less(t, odd, rooms.clients, "more than half of the clients are not Go's")
			kinds[odd] = g.Kind.Name
			odd += 2
		}
	}
	var pythons []int
	for number := range rooms.clients {
		var c *chatter
		switch kinds[number] {
		case clients.Python.Name:
			pythons = append(pythons, number)
			continue
		case clients.Netcat.Name:
			c = startNetcat(t, ctx, s.address, rooms, number)
		default:
			conn := dial(t, s.address)
			if number == 0 {
				require.NoError(t, conn.SetReadBuffer(slowReadBuffer))
			}
			context.AfterFunc(ctx, func() { _ = conn.SetDeadline(past) }) // fails only if it is closed already
			c = newChatter(rooms, number, conn, conn)
			m.stay = append(m.stay, c)
		}
		require.NoError(t, c.enter(), "client %d", number)
		m.chatters = append(m.chatters, c)
	}
	if len(pythons) > 0 {
		m.python = startPython(t, ctx, s.address, rooms, pythons)
	}
	return m
}

// talk has everybody talk and listen, except that the first client does not listen before
// meanwhile has returned. It returns the sums of all clients by number.
func (m *meeting) talk(meanwhile func() error) (map[int]string, error) {
	e := errands{errs: make(chan error, 2*len(m.chatters)+1), failed: m.cancel}
	var pythonSums []string
	if m.python != nil {
		e.run(func() (err error) {
			pythonSums, err = m.python.run()
			return err
		})
	}
	for i, c := range m.chatters {
		e.run(c.talk)
		if i > 0 {
			e.run(c.listen)
		}
	}
	err := meanwhile()
	e.run(m.chatters[0].listen)
	if err = errors.Join(err, e.wait()); err != nil {
		return nil, err
	}
	sums := make(map[int]string)
	for _, c := range m.chatters {
		sums[c.number] = c.sum()
	}
	for i, sum := range pythonSums {
		sums[m.python.numbers[i]] = sum
	}
	return sums, nil
}

// end ends the server under the clients that are left, who hear of it.
func (m *meeting) end(t *testing.T, s *server) {
	t.Helper()
	s.stop(t)
	for _, c := range m.stay {
		rest, err := io.ReadAll(c.r)
		require.NoError(t, err, "client %d", c.number)
		require.True(t, strings.HasSuffix(string(rest), "* the room is closed\n"), "client %d: %q", c.number, rest)
	}
}

// errands runs functions in goroutines. The first error ends the others, which might wait
// for what never comes.
type errands struct {
	count  int
	errs   chan error
	failed func()
}

func (e *errands) run(fn func() error) {
	e.count++
	go func() { e.errs <- fn() }()
}

func (e *errands) wait() (err error) {
	for range e.count {
		if first := <-e.errs; first != nil && err == nil {
			err = first
			e.failed()
		}
	}
	return err
}

// standstill waits until a client that has begun to hear hears nothing more, and tells
// how many bytes it has heard.
func (m *meeting) standstill(c *chatter) (heard int64) {
	tick := time.NewTicker(stillTime)
	defer tick.Stop()
	for still := 0; still < stillLooks; {
		select {
		case <-tick.C:
		case <-m.over:
			return heard
		}
		before := heard
		heard = c.heard.Load()
		if still++; heard == 0 || heard != before {
			still = 0
		}
	}
	return heard
}

// All clients are in their rooms before the first one talks.
func TestChatServesAThousandConnectionsOfThreeKindsAtOnce(t *testing.T) {
	allowDescriptors(t)
	rooms := &rooms{clients: connections, size: 2, said: newSpeeches(t, exchangeBytes)}
	for _, d := range drivers {
		t.Run(string(d), func(t *testing.T) {
			s := serve(t, d, "chat", "-wait", interopTimeMax.String())
			begin := time.Now()
			m := meet(t, s, rooms, 400, 10)
			entered := time.Since(begin)
			sums, err := m.talk(func() error { return nil })
			require.NoError(t, err, "server: %s", &s.stderr)
			t.Logf("%d connections in %d rooms, each said %d MiB and heard twice as much: %.1f s, after %.1f s to connect",
				connections, connections/rooms.size, exchangeBytes>>20, (time.Since(begin) - entered).Seconds(), entered.Seconds())
			require.Len(t, sums, connections)
			for i, sum := range sums {
				assert.Equal(t, sums[i-i%rooms.size], sum, "client %d has heard them in another order than the first in its room", i)
			}
			m.end(t, s)
		})
	}
}

func TestChatGivesEveryLineToEveryClientAtTheSpeedOfTheSlowest(t *testing.T) {
	allowDescriptors(t)
	rooms := &rooms{clients: oneRoomClients, size: oneRoomClients, said: newSpeeches(t, oneRoomBytes)}
	for _, d := range drivers {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel() // both stand still for most of the time
			s := serve(t, d, "chat", "-wait", interopTimeMax.String())
			begin := time.Now()
			m := meet(t, s, rooms, 40, 5)
			slow, quick := m.chatters[0], m.chatters[2]
			total := slow.left
			sums, err := m.talk(func() error {
				heard := m.standstill(quick)
				t.Logf("the slow client has brought the room to a standstill after %d of %d bytes", heard, total)
				if heard == int64(total) {
					return errors.New("the room did not wait for the slow client")
				}
				return nil
			})
			require.NoError(t, err, "server: %s", &s.stderr)
			t.Logf("%d clients have heard %d KiB each: %.1f s", oneRoomClients, total>>10, time.Since(begin).Seconds())
			require.Len(t, sums, oneRoomClients)
			for i, sum := range sums {
				assert.Equal(t, sums[0], sum, "client %d has heard them in another order than client 0, the slow one", i)
			}
			m.end(t, s)
		})
	}
}
