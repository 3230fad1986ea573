//go:build unix

package examples_test

// Clients of the chat that know what they ought to hear: everybody knows what everybody
// in the room will say, so each line is compared with what its speaker has to say next,
// byte for byte. In which order the speakers come is the room's affair, but has to be the
// same for all who are in it.

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	// chatLineBytesMax is how long a line may be; half of that is usual, and many are
	// empty.
	chatLineBytesMax = 8 << 10
	// speechStride is how far the speech of one client is from that of the next.
	speechStride = 4099
)

// speeches are what the clients say: random lines, of which each client has its own part.
type speeches struct {
	data []byte
	size int    // of a speech, in bytes; it goes on to the end of its last line
	file string // with data, for clients in other processes
}

func newSpeeches(t *testing.T, size int) *speeches {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	var data []byte
	for len(data) < 2*size {
		for n := random.IntN(chatLineBytesMax); n > 0; n-- {
			data = append(data, ' '+byte(random.IntN('~'-' '+1)))
		}
		for n := random.IntN(3); n >= 0; n-- {
			data = append(data, '\n')
		}
	}
	s := &speeches{data: data, size: size, file: filepath.Join(t.TempDir(), "speeches")}
	require.NoError(t, os.WriteFile(s.file, data, 0o600))
	return s
}

// of is what one client says.
func (s *speeches) of(number int) []byte {
	start := number * speechStride % s.size
	end := start + s.size
	return s.data[start : end+bytes.IndexByte(s.data[end:], '\n')+1]
}

// rooms is who is where: the clients of a test, so many in each room, in the order of
// their numbers. Those that are no processes of Go have odd numbers, so that each shares
// its room with one that is.
type rooms struct {
	clients int
	size    int
	said    *speeches
}

// greeting is the first line that a client sends. If there is but one room it is the one
// without a name.
func (r *rooms) greeting(number int) string {
	if r.size == r.clients {
		return fmt.Sprintf("c%d\n", number)
	}
	return fmt.Sprintf("c%d@room %d\n", number, number/r.size)
}

// chatter is a client in a room, on whatever reads and writes.
type chatter struct {
	number int
	rooms  *rooms
	r      *bufio.Reader
	w      io.Writer
	unsaid map[int][]byte // what there is still to hear of everybody in the room, by number
	left   int            // its bytes
	heard  atomic.Int64   // bytes
	order  []byte         // the numbers of those who have spoken, a line each
}

func newChatter(rooms *rooms, number int, r io.Reader, w io.Writer) *chatter {
	c := &chatter{
		number: number, rooms: rooms, r: bufio.NewReaderSize(r, 2*chatLineBytesMax), w: w,
		unsaid: make(map[int][]byte),
	}
	first := number - number%rooms.size
	for member := first; member < first+rooms.size; member++ {
		c.unsaid[member] = rooms.said.of(member)
		c.left += len(c.unsaid[member])
	}
	return c
}

// enter says the client's name and waits until the room has let it in.
func (c *chatter) enter() error {
	if _, err := io.WriteString(c.w, c.rooms.greeting(c.number)); err != nil {
		return err
	}
	for {
		line, err := c.r.ReadString('\n')
		if err != nil || line == fmt.Sprintf("* c%d joined\n", c.number) {
			return err
		}
	}
}

// talk says everything at once: where the lines end is for the room to find.
func (c *chatter) talk() error {
	if _, err := c.w.Write(c.rooms.said.of(c.number)); err != nil {
		return fmt.Errorf("client %d speaks: %w", c.number, err)
	}
	return nil
}

// listen hears what everybody says. The room's own lines do not count.
func (c *chatter) listen() error {
	for c.left > 0 {
		line, err := c.r.ReadSlice('\n')
		if err == nil && !bytes.HasPrefix(line, []byte("* ")) {
			err = c.hear(line)
		}
		if err != nil {
			return fmt.Errorf("client %d, after %d bytes: %w", c.number, c.heard.Load(), err)
		}
	}
	return nil
}

// hear compares a line with what is still to be said.
func (c *chatter) hear(line []byte) error {
	name, text, _ := bytes.Cut(line, []byte(": "))
	number, err := strconv.Atoi(strings.TrimPrefix(string(name), "c"))
	if err != nil {
		return fmt.Errorf("a line of nobody: %w", err)
	}
	if len(text) == 0 || !bytes.HasPrefix(c.unsaid[number], text) { // of another room nothing is heard
		return fmt.Errorf("heard %.100q of client %d, expected %.100q", text, number, c.unsaid[number])
	}
	c.unsaid[number] = c.unsaid[number][len(text):]
	c.left -= len(text)
	c.heard.Add(int64(len(text)))
	c.order = append(strconv.AppendInt(c.order, int64(number), 10), '\n')
	return nil
}

// sum stands for the order in which the others have spoken.
func (c *chatter) sum() string { return fmt.Sprintf("%x", sha256.Sum256(c.order)) }

// pythonChatters are clients in one Python process.
type pythonChatters struct {
	numbers []int
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	stderr  bytes.Buffer
}

func startPython(t *testing.T, ctx context.Context, address string, rooms *rooms, numbers []int) *pythonChatters {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	args := []string{"testdata/chat.py", host, port, rooms.said.file}
	for _, n := range []int{rooms.said.size, speechStride, rooms.clients, rooms.size} {
		args = append(args, strconv.Itoa(n))
	}
	for _, n := range numbers {
		args = append(args, strconv.Itoa(n))
	}
	p := &pythonChatters{numbers: numbers, cmd: exec.CommandContext(ctx, "python3", args...)}
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

// run lets the clients talk, and returns the sum of each.
func (p *pythonChatters) run() ([]string, error) {
	if _, err := io.WriteString(p.in, "start\n"); err != nil {
		return nil, err
	}
	out, err := io.ReadAll(p.out)
	if err = errors.Join(err, p.cmd.Wait()); err != nil {
		return nil, fmt.Errorf("python3: %w\n%s", err, &p.stderr)
	}
	sums := strings.Fields(string(out))
	if len(sums) != len(p.numbers) {
		return nil, fmt.Errorf("python3 printed %d sums for %d clients", len(sums), len(p.numbers))
	}
	return sums, nil
}

// startNetcat is a client that is an nc process.
func startNetcat(t *testing.T, ctx context.Context, address string, rooms *rooms, number int) *chatter {
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
	return newChatter(rooms, number, out, in)
}

func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, interopTimeMax)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close()) })
	require.NoError(t, conn.SetDeadline(time.Now().Add(interopTimeMax)))
	return conn.(*net.TCPConn)
}
