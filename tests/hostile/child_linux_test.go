package hostile_test

// What shows only in a process that has nothing else to do: its memory, and the end of
// its descriptors. The server is this test binary again, and the peers are in the test.

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"runtime/debug"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func init() {
	testkit.RunChild(map[string]func(opts ...asyncio.Option){
		"sleepy stream":   func(opts ...asyncio.Option) { sayRun(serveSleepyStream, opts...) },
		"sleepy protocol": func(opts ...asyncio.Option) { sayRun(serveSleepyProtocol, opts...) },
		"few descriptors": func(opts ...asyncio.Option) { sayRun(serveWithFewDescriptors, opts...) },
	})
}

// sayRun runs main and says how it has failed, if it has.
func sayRun(main func(ctx context.Context, l *asyncio.Loop) error, opts ...asyncio.Option) {
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error { return main(ctx, testkit.LoopOf(ctx)) }), opts...)
	if err != nil {
		testkit.Say("failed: %v", err)
	}
}

// server is a child with a server.
type server struct {
	address string
	cmd     *exec.Cmd
	lines   *bufio.Scanner
}

func startServer(t *testing.T, driver asyncio.Driver, program string) *server {
	t.Helper()
	s := &server{cmd: exec.Command(os.Args[0])}
	s.cmd.Env = testkit.ChildEnv(program, driver)
	s.cmd.Stderr = t.Output()
	output, err := s.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, s.cmd.Start())
	watchdog := time.AfterFunc(asynciotest.HangLimit, func() { _ = s.cmd.Process.Kill() })
	t.Cleanup(func() { watchdog.Stop() })
	s.lines = bufio.NewScanner(output)
	s.address = s.says(t)
	return s
}

// says is the next line of the child.
func (s *server) says(t *testing.T) string {
	t.Helper()
	require.True(t, s.lines.Scan(), "it has ended")
	return s.lines.Text()
}

// exits waits for the end of the child, after a line of numbers.
func (s *server) exits(t *testing.T, line string) (numbers []int) {
	t.Helper()
	said := s.says(t)
	found := regexp.MustCompile("^" + line + "$").FindStringSubmatch(said)
	require.NotNil(t, found, said)
	require.NoError(t, s.cmd.Wait())
	for _, n := range found[1:] {
		v, err := strconv.Atoi(n)
		require.NoError(t, err)
		numbers = append(numbers, v)
	}
	return numbers
}

// residentBytes is VmRSS.
func residentBytes() int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	kib := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status)
	n, err := strconv.Atoi(string(kib[1]))
	if err != nil {
		panic(err)
	}
	return n << 10
}

const (
	sleepyLimit = 32 << 10
	sleepyRead  = 256 << 10
	sleepyPause = time.Millisecond
	// residentBytesMax is how much a server may grow while it serves one peer: some
	// buffers of 256 KiB, and what the garbage collector has not looked at.
	residentBytesMax = 24 << 20
)

// watched looks at what a server's connections hold while they do, and says the most.
type watched struct {
	s              *asyncio.Server
	held, resident int
	before         int
}

func watch(s *asyncio.Server) *watched {
	debug.FreeOSMemory()
	w := &watched{s: s, before: residentBytes()}
	testkit.Say("%s", s.Addrs()[0])
	return w
}

func (w *watched) look() {
	w.held = max(w.held, w.s.Stats().ReadBuffered)
	w.resident = max(w.resident, residentBytes()-w.before)
}

func (w *watched) say(read int) {
	testkit.Say("read=%d held=%d grown=%d", read, w.held, max(0, w.resident))
}

// serveSleepyStream reads one stream to its end, and sleeps after every read.
func serveSleepyStream(ctx context.Context, l *asyncio.Loop) error {
	done := asyncio.NewFuture[int](l)
	s, err := asyncio.StartServer(ctx, func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
		all := 0
		for buf := make([]byte, sleepyRead); ; {
			n, err := r.Read(ctx, buf)
			all += n
			if err == io.EOF {
				return errors.Join(done.SetResult(all), w.Close())
			}
			if err == nil {
				err = asyncio.Sleep(ctx, sleepyPause)
			}
			if err != nil {
				return err
			}
		}
	}, "tcp", "127.0.0.1:0", asyncio.WithLimit(sleepyLimit))
	if err != nil {
		return err
	}
	return watchUntil(ctx, s, done)
}

// watchUntil looks at a server until its one connection was read.
func watchUntil(ctx context.Context, s *asyncio.Server, done *asyncio.Future[int]) error {
	w := watch(s)
	for !done.Done() {
		w.look()
		if err := asyncio.Sleep(ctx, 2*sleepyPause); err != nil {
			return err
		}
	}
	read, err := done.Result()
	w.say(read)
	s.Close()
	return errors.Join(err, s.WaitClosed(ctx))
}

// sleepy is a protocol that pauses reading after each piece.
type sleepy struct {
	asyncio.NullProtocol
	transport asyncio.Transport
	all       int
	done      *asyncio.Future[int]
}

func (p *sleepy) ConnectionMade(t asyncio.Transport) { p.transport = t }
func (p *sleepy) ConnectionLost(error)               { _ = p.done.SetResult(p.all) }

func (p *sleepy) DataReceived(b []byte) {
	p.all += len(b)
	p.transport.PauseReading()
	p.transport.Loop().CallLater(sleepyPause/4, p.transport.ResumeReading)
}

func serveSleepyProtocol(ctx context.Context, l *asyncio.Loop) error {
	p := &sleepy{done: asyncio.NewFuture[int](l)}
	s, err := l.CreateServer(ctx, func() asyncio.Protocol { return p }, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	return watchUntil(ctx, s, p.done)
}

// A peer pushes for as long as it is let. What a reader that sleeps has not taken stays
// with the peer, beyond the limit.
func TestReaderThatSleeps(t *testing.T) {
	for _, program := range []string{"sleepy stream", "sleepy protocol"} {
		t.Run(program, func(t *testing.T) {
			for _, d := range asynciotest.Drivers() {
				t.Run(d.String(), func(t *testing.T) {
					asynciotest.VerifyNoLeaks(t)
					s := startServer(t, d, program)
					peer, err := net.Dial("tcp", s.address)
					require.NoError(t, err)
					chunk := make([]byte, 1<<20)
					for range pushedBytes / len(chunk) {
						_, err := peer.Write(chunk)
						require.NoError(t, err)
					}
					require.NoError(t, peer.Close())
					n := s.exits(t, `read=(\d+) held=(\d+) grown=(\d+)`)
					require.Equal(t, pushedBytes, n[0])
					t.Logf("%d MiB pushed: %d KiB held, grown by %d KiB", n[0]>>20, n[1]>>10, n[2]>>10)
					require.LessOrEqual(t, n[1], 2*sleepyLimit+readBytesMax)
					if !sanitized {
						require.LessOrEqual(t, n[2], residentBytesMax)
					}
				})
			}
		})
	}
}

const (
	fewDescriptors = 48
	manyClients    = 100
)

// serveWithFewDescriptors echoes one line to each of more clients than there are
// descriptors, and says how often it was told so, and how much it has worked.
func serveWithFewDescriptors(ctx context.Context, l *asyncio.Loop) error {
	left, reports := manyClients, 0
	done := asyncio.NewEvent()
	l.SetExceptionHandler(func(l *asyncio.Loop, c asyncio.ErrorContext) {
		if errors.Is(c.Exception, syscall.EMFILE) && c.Server != nil {
			reports++
			return
		}
		l.DefaultExceptionHandler(c)
	})
	s, err := asyncio.StartServer(ctx, func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
		defer func() {
			if left--; left == 0 {
				done.Set()
			}
		}()
		defer w.Close()
		line, err := r.ReadLine(ctx)
		if err != nil {
			return err
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
		_, err = r.ReadAll(ctx) // until the client has its answer, and goes
		return err
	}, "tcp", "127.0.0.1:0", asyncio.WithBacklog(manyClients))
	if err != nil {
		return err
	}
	limit := syscall.Rlimit{Cur: fewDescriptors, Max: fewDescriptors}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	testkit.Say("%s", s.Addrs()[0])
	if err := done.Wait(ctx); err != nil {
		return err
	}
	testkit.Say("reports=%d turns=%d", reports, l.Stats().Turns)
	s.Close()
	return s.WaitClosed(ctx)
}

func TestMoreClientsThanDescriptors(t *testing.T) {
	for _, d := range asynciotest.Drivers() {
		t.Run(d.String(), func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			s := startServer(t, d, "few descriptors")
			began := time.Now()
			peers := make([]net.Conn, manyClients)
			for i := range peers {
				peer, err := net.Dial("tcp", s.address)
				require.NoError(t, err)
				peers[i] = peer
			}
			for i, peer := range peers { // in the order in which they came
				require.NoError(t, peer.SetDeadline(time.Now().Add(asynciotest.HangLimit)))
				require.NoError(t, exchange(peer, "client "+strconv.Itoa(i)+"\n"))
				require.NoError(t, peer.Close())
			}
			n := s.exits(t, `reports=(\d+) turns=(\d+)`)
			require.Positive(t, n[0])
			require.LessOrEqual(t, n[0], int(time.Since(began)/time.Second)+1, "one report in a second")
			require.LessOrEqual(t, n[1], 20*manyClients, "it does not spin")
		})
	}
}
