package examples_test

// The chat room in numbers: what one client says, all hear, in the same order, byte for byte, even if one of them reads
// nothing for a while.

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/examples/internal/clients"
)

const (
	chatClients = 100
	// chatLines is how many lines each client says. What one client hears, about 8 MiB, is more than the kernel keeps for
	// the slow one.
	chatLines = 40
	// slowReadBuffer is the slow client's receive buffer in the kernel. It is fixed so that it does not grow, and holds
	// several segments of the loopback interface, which are 64 KiB: a smaller window opens in steps of a timer.
	slowReadBuffer = 256 << 10
	// The room counts as held up when a client has heard nothing at so many looks in a row.
	stillLooks = 10
	stillTime  = 100 * time.Millisecond
)

// chatText is the text of a line; testdata/chat.py has it too.
func chatText(number, line int) string {
	letter := string(rune('a' + number%26))
	return fmt.Sprintf("%d %s\n", line, strings.Repeat(letter, 1000+(37*number+101*line)%2000))
}

// chatter is a client of the room, on whatever reads and writes.
type chatter struct {
	number int
	r      *bufio.Reader
	w      io.Writer
	heard  atomic.Int64 // lines
	digest hash.Hash    // of the lines
	each   func(line string)
}

func newChatter(number int, r io.Reader, w io.Writer) *chatter {
	return &chatter{number: number, r: bufio.NewReader(r), w: w, digest: sha256.New(), each: func(string) {}}
}

// enter says the client's name and waits until the room has let it in.
func (c *chatter) enter() error {
	name := fmt.Sprintf("c%d", c.number)
	if _, err := io.WriteString(c.w, name+"\n"); err != nil {
		return err
	}
	for {
		line, err := c.r.ReadString('\n')
		if err != nil || line == "* "+name+" joined\n" {
			return err
		}
	}
}

func (c *chatter) talk() error {
	for line := range chatLines {
		if _, err := io.WriteString(c.w, chatText(c.number, line)); err != nil {
			return fmt.Errorf("client %d says line %d: %w", c.number, line, err)
		}
	}
	return nil
}

// listen hears what everybody says. The room's own lines do not count.
func (c *chatter) listen() error {
	for c.heard.Load() < chatClients*chatLines {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return fmt.Errorf("client %d has heard %d lines: %w", c.number, c.heard.Load(), err)
		}
		if strings.HasPrefix(line, "* ") {
			continue
		}
		if _, err := io.WriteString(c.digest, line); err != nil {
			return err
		}
		c.each(line)
		c.heard.Add(1)
	}
	return nil
}

// sum is the digest of what was heard.
func (c *chatter) sum() string { return hex.EncodeToString(c.digest.Sum(nil)) }

// witness returns a function for chatter.each that checks that everybody's lines come whole and in order.
func witness(t *testing.T) func(line string) {
	next := make([]int, chatClients)
	return func(line string) {
		name, text, _ := strings.Cut(line, ": ")
		number, err := strconv.Atoi(strings.TrimPrefix(name, "c"))
		if assert.NoError(t, err) && assert.Less(t, number, chatClients) {
			assert.Equal(t, chatText(number, next[number]), text, "of client %d", number)
			next[number]++
		}
	}
}

// errands runs functions in goroutines and collects their errors.
type errands struct {
	count int
	errs  chan error
}

func (e *errands) run(fn func() error) {
	e.count++
	go func() { e.errs <- fn() }()
}

func (e *errands) wait() (err error) {
	for range e.count {
		err = errors.Join(err, <-e.errs)
	}
	return err
}

// pythonChatters are clients in one Python process.
type pythonChatters struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr bytes.Buffer
}

func startPython(t *testing.T, ctx context.Context, address string, first, count int) *pythonChatters {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	args := []string{"testdata/chat.py", host, port}
	for _, n := range []int{first, count, chatLines, chatClients * chatLines} {
		args = append(args, strconv.Itoa(n))
	}
	p := &pythonChatters{cmd: exec.CommandContext(ctx, "python3", args...)}
	p.cmd.Stderr = &p.stderr
	p.in, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	p.out = bufio.NewReader(out)
	require.NoError(t, p.cmd.Start())
	line, err := p.out.ReadString('\n')
	require.NoError(t, err, &p.stderr)
	require.Equal(t, "connected\n", line)
	return p
}

// run lets the clients talk and returns the digests of what they have heard.
func (p *pythonChatters) run() ([]string, error) {
	if _, err := io.WriteString(p.in, "start\n"); err != nil {
		return nil, err
	}
	out, err := io.ReadAll(p.out)
	if err = errors.Join(err, p.cmd.Wait()); err != nil {
		return nil, fmt.Errorf("python3: %w\n%s", err, &p.stderr)
	}
	return strings.Fields(string(out)), nil
}

// startNetcat is a client that is an nc process.
func startNetcat(t *testing.T, ctx context.Context, address string, number int) *chatter {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	cmd := exec.CommandContext(ctx, "nc", host, port)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // versions of nc differ in when they end
		_ = cmd.Wait()
	})
	return newChatter(number, out, in)
}

func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, interopTimeMax)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close()) })
	require.NoError(t, conn.SetDeadline(time.Now().Add(interopTimeMax)))
	return conn.(*net.TCPConn)
}

// standstill waits until a client that has begun to hear hears nothing more, and tells how many lines it has heard.
func standstill(ctx context.Context, c *chatter) (heard int64) {
	tick := time.NewTicker(stillTime)
	defer tick.Stop()
	for still := 0; still < stillLooks; {
		select {
		case <-tick.C:
		case <-ctx.Done():
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

func TestChatGivesEveryLineToEveryClient(t *testing.T) {
	allowDescriptors(t)
	for _, b := range builds {
		t.Run(b.driver, func(t *testing.T) {
			s := serve(t, b, "chat", "-patience", interopTimeMax.String())
			ctx, cancel := context.WithTimeout(t.Context(), interopTimeMax)
			defer cancel()
			begin := time.Now()
			stay, sums := chat(t, ctx, s, spread(t, chatClients, 40, 5))
			require.Len(t, sums, chatClients)
			t.Logf("%d clients have heard %d lines each: %.1f s", chatClients, chatClients*chatLines, time.Since(begin).Seconds())
			for i, sum := range sums {
				require.Equal(t, sums[0], sum, "client %d has heard something else than client 0, the slow one", i)
			}
			s.stop(t)
			for _, c := range stay {
				rest, err := io.ReadAll(c.r)
				require.NoError(t, err, "client %d", c.number)
				require.True(t, strings.HasSuffix(string(rest), "* the room is closed\n"), "client %d: %q", c.number, rest)
			}
		})
	}
}

// chat has clients talk, the first of which does not read until it has brought the room to a standstill. It returns the
// clients that stay to the end, and the digests of what all have heard.
func chat(t *testing.T, ctx context.Context, s *server, groups []clients.Group) (stay []*chatter, sums []string) {
	var python *pythonChatters
	var chatters []*chatter
	number := 0
	for _, g := range groups {
		if g.Kind.Name == clients.Python.Name {
			python = startPython(t, ctx, s.address, number, g.Count)
			number += g.Count
			continue
		}
		for range g.Count {
			var c *chatter
			if g.Kind.Name == clients.Netcat.Name {
				c = startNetcat(t, ctx, s.address, number)
			} else {
				conn := dial(t, s.address)
				if number == 0 {
					require.NoError(t, conn.SetReadBuffer(slowReadBuffer))
				}
				c = newChatter(number, conn, conn)
				stay = append(stay, c)
			}
			require.NoError(t, c.enter(), "client %d", number)
			chatters = append(chatters, c)
			number++
		}
	}

	slow, quick := chatters[0], chatters[1]
	slow.each = witness(t)
	e := errands{errs: make(chan error, 2*chatClients)}
	for _, c := range chatters {
		e.run(c.talk)
		if c != slow {
			e.run(c.listen)
		}
	}
	var pythonSums []string
	if python != nil {
		e.run(func() (err error) {
			pythonSums, err = python.run()
			return err
		})
	}
	heard := standstill(ctx, quick)
	require.Less(t, heard, int64(chatClients*chatLines), "the room did not wait for the slow client")
	t.Logf("the slow client has brought the room to a standstill after %d of %d lines", heard, chatClients*chatLines)
	e.run(slow.listen)
	require.NoError(t, e.wait(), "server: %s", &s.stderr)
	for _, c := range chatters {
		sums = append(sums, c.sum())
	}
	return stay, append(sums, pythonSums...)
}
