//go:build cgo

package uv_test

// Any sequence of calls of the public API gives Go errors, never an abort, and leaves
// nothing behind. A sequence is a string of bytes; machine runs it. It runs in a child
// process, because libuv answers what the bridge lets through with abort().

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/cbridge"
	"github.com/seed-a026a017/asyncio/uv"
)

// machine runs one sequence over five places for handles.
type machine struct {
	l       *uv.Loop
	program []byte
	handles [5]uv.Handle
	peers   []int // descriptors of plain sockets at the other end
	foreign []int // descriptors for Polls, which are closed at any moment
	reqs    []*uv.Req
	files   []*uv.File
	dirs    []*uv.Dir
	begins  []func(error) // of calls about files that are being made
	closed  bool          // the loop is
	ending  bool          // the loop shuts down
	dir     string
	depth   int
	pending map[string]int // callbacks that must still come, by the call that was given them
}

// stream is what TCP and Pipe have in common.
type stream interface {
	uv.Handle
	ReadStart(func([]byte, error)) error
	ReadStop() error
	Write([]byte, func(error)) error
	WriteV([][]byte, func(error)) error
	TryWrite([]byte) (int, error)
	TryWriteV([][]byte) (int, error)
	Flush() error
	CloseWrite(func(error)) error
	Abort()
	AcceptStart() error
	AcceptStop() error
	OpenFD(uintptr) error
	Fd() (uintptr, error)
	IsReadable() bool
	IsWritable() bool
	WriteQueueSize() int
	SendBufferSize() (int, error)
	SetRecvBufferSize(int) error
}

func (m *machine) next() int {
	if len(m.program) == 0 {
		return 0
	}
	b := m.program[0]
	m.program = m.program[1:]
	return int(b)
}

// once is a callback that must be called exactly once if the call that it was given to
// returns nil.
func (m *machine) once(call string) (f func(error), begun func(error)) {
	called := false
	f = func(error) {
		if called {
			panic("a callback came twice: " + call)
		}
		called = true
		m.pending[call]--
		m.inside()
	}
	return f, func(err error) {
		if called {
			panic("a callback came inside its call: " + call)
		}
		if err == nil {
			m.pending[call]++
		} else {
			called = true // it must not come
		}
	}
}

// inside runs some of the sequence inside a callback.
func (m *machine) inside() {
	if m.depth < 3 && m.next()%3 == 0 {
		m.depth++
		m.step()
		m.depth--
	}
}

func (m *machine) run() {
	for len(m.program) > 0 {
		m.step()
	}
}

func (m *machine) step() {
	op, at := m.next(), m.next()%len(m.handles)
	if op%4 == 0 && m.depth == 0 {
		m.l.Poll(time.Duration(op/128*(op%3)) * 50 * time.Microsecond)
		return
	}
	switch op % 16 {
	case 13:
		m.request()
		return
	case 14:
		if r := m.beginFiles(); r != nil {
			m.reqs = append(m.reqs, r)
		}
		return
	case 15:
		if m.next()%2 == 0 {
			m.loopCall()
			return
		}
	}
	h := m.handles[at]
	if h == nil || op%16 == 1 {
		m.make(at)
		return
	}
	switch h := h.(type) {
	case stream:
		m.anyHandle(op, h, func() { m.stream(h) })
	case *uv.TTY:
		m.anyHandle(op, h, func() { m.tty(h) })
	case *uv.Timer:
		m.anyHandle(op, h, func() { m.timer(h) })
	case interface {
		uv.Handle
		Start(func()) error
		Stop() error
	}:
		m.anyHandle(op, h, func() {
			if m.next()%2 == 0 {
				h.Start(m.inside)
			} else {
				h.Stop()
			}
		})
	case *uv.Poll:
		m.anyHandle(op, h, func() { m.poll(h) })
	case *uv.UDP:
		m.anyHandle(op, h, func() { m.udp(h) })
	case *uv.Async:
		m.anyHandle(op, h, func() { h.Send() })
	case *uv.Signal:
		m.anyHandle(op, h, func() { m.signal(h) })
	case *uv.Process:
		m.anyHandle(op, h, func() { m.child(h) })
	case *uv.FSEvent:
		m.anyHandle(op, h, func() { m.fsEvent(h) })
	case *uv.FSPoll:
		m.anyHandle(op, h, func() { m.fsPoll(h) })
	}
}

func (m *machine) anyHandle(op int, h uv.Handle, special func()) {
	switch op % 32 {
	case 2:
		h.Close()
	case 3:
		if !h.IsClosing() {
			f, begun := m.once("CloseWith")
			h.CloseWith(func() { f(nil) })
			begun(nil)
		}
	case 6:
		h.Ref()
	case 7:
		h.Unref()
	case 10:
		h.SetData(h.HasRef() && h.IsActive())
	case 11:
		m.l.Walk(func(h uv.Handle) { h.Type() })
	default:
		special()
	}
}

// made is a handle, nil if there is an error.
func made[H uv.Handle](h H, err error) uv.Handle {
	if err != nil {
		return nil
	}
	return h
}

func (m *machine) make(at int) {
	var h uv.Handle
	switch m.next() % 28 {
	case 0, 1, 2, 3:
		h = made(m.l.NewTCP())
	case 4, 5:
		h = made(m.l.NewPipe())
	case 6:
		h = made(m.l.NewTimer())
	case 7:
		h = made(m.l.NewIdle())
	case 8:
		h = made(m.l.NewPrepare())
	case 9:
		h = made(m.l.NewCheck())
	case 10:
		h = made(m.l.NewAsync(m.inside))
	case 11:
		h = made(m.l.NewTCPFamily(m.next()))
	case 12, 13:
		m.openForeign()
		h = made(m.l.NewPoll(uintptr(m.foreign[m.next()%len(m.foreign)])))
	case 14, 15, 16:
		h = m.makeUDP()
	case 17, 18, 19:
		h = m.makeIPC()
	case 20:
		h = m.makeTTY()
	case 21, 22, 23:
		h = m.makeSystem()
	case 24, 25, 26, 27:
		h = m.makeWatch()
	}
	if h != nil {
		m.handles[at] = h
	}
}

// openForeign opens a connection of somebody else's.
func (m *machine) openForeign() {
	if len(m.foreign) > 8 {
		return
	}
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		panic(err)
	}
	m.foreign = append(m.foreign, fds[0], fds[1])
}

// closeForeign closes one end of such a connection, whether or not a Poll watches it.
func (m *machine) closeForeign() {
	if len(m.foreign) == 0 {
		return
	}
	i := m.next() % len(m.foreign)
	syscall.Close(m.foreign[i])
	m.foreign = append(m.foreign[:i], m.foreign[i+1:]...)
}

func (m *machine) poll(p *uv.Poll) {
	switch m.next() % 8 {
	case 0, 1, 2:
		p.Start(uv.PollEvents(m.next()%17), func(uv.PollEvents, error) { m.inside() })
	case 3:
		p.Stop()
	case 4:
		m.closeForeign()
	case 5:
		m.openForeign()
	case 6:
		if len(m.foreign) > 0 {
			fd := m.foreign[m.next()%len(m.foreign)]
			syscall.Write(fd, []byte("x"))
			syscall.Read(m.foreign[0], make([]byte, 10))
			m.l.HandleOf(uintptr(fd))
		}
	case 7:
		if fd, err := p.Fd(); err == nil && m.l.HandleOf(fd) != uv.Handle(p) {
			panic("a Poll has a descriptor that is another handle's")
		}
	}
}

// request begins a request or does something to one.
func (m *machine) request() {
	ctx, cancel := context.WithCancel(context.Background())
	if m.next()%4 == 0 {
		ctx = context.Background()
	}
	defer cancel()
	var r *uv.Req
	var err error
	switch m.next() % 12 {
	case 0, 1, 2:
		node := []string{"", "127.0.0.1", "::1%lo", "localhost", "local\x00host", "::1%nosuchif", "\xff"}[m.next()%7]
		service := []string{"", "80", "http", "nosuch", "\x00"}[m.next()%5]
		hints := uv.AddrInfoHints{Family: m.next() % 12, SockType: m.next() % 4, Flags: m.next() * m.next()}
		f, begun := m.once("GetAddrInfo")
		r, err = m.l.GetAddrInfoContext(ctx, node, service, hints, func(_ []uv.AddrInfo, err error) { f(err) })
		begun(err)
	case 3, 4:
		addr := []netip.AddrPort{{}, netip.MustParseAddrPort("127.0.0.1:80"), netip.MustParseAddrPort("[::1%nosuchif]:1")}[m.next()%3]
		f, begun := m.once("GetNameInfo")
		r, err = m.l.GetNameInfoContext(ctx, addr, m.next(), func(_, _ string, err error) { f(err) })
		begun(err)
	case 5, 6, 7, 8:
		r = m.background(ctx)
	default:
		if len(m.reqs) > 0 {
			old := m.reqs[m.next()%len(m.reqs)]
			old.SetData(old.Type().String())
			old.Data()
			old.Loop()
			old.Cancel()
		}
	}
	if r != nil {
		m.reqs = append(m.reqs, r)
	}
}

func (m *machine) timer(t *uv.Timer) {
	d := time.Duration(m.next()%4) * time.Millisecond
	switch m.next() % 4 {
	case 0:
		t.Start(d, time.Duration(m.next()%3)*time.Millisecond, m.inside)
	case 1:
		t.Stop()
	case 2:
		t.Again()
	case 3:
		t.SetRepeat(d)
		t.Repeat()
		t.DueIn()
	}
}

func (m *machine) stream(s stream) {
	switch m.next() % 26 {
	case 0, 1:
		s.ReadStart(func([]byte, error) { m.inside() })
	case 2:
		s.ReadStop()
	case 3, 4:
		f, begun := m.once("Write")
		begun(s.Write(make([]byte, m.next()*3), f))
	case 5:
		s.Write(make([]byte, m.next()*3), nil)
	case 6:
		f, begun := m.once("Write")
		begun(s.Write(make([]byte, m.next()*4000), f))
	case 7:
		f, begun := m.once("WriteV")
		begun(s.WriteV([][]byte{{1}, make([]byte, 20_000), {2}}, f))
	case 8:
		s.TryWrite(make([]byte, m.next()))
		s.TryWriteV([][]byte{make([]byte, m.next()), make([]byte, m.next()*300)})
	case 9:
		s.Flush()
	case 10:
		f, begun := m.once("CloseWrite")
		begun(s.CloseWrite(f))
	case 11:
		s.Abort()
	case 12, 13:
		m.openFD(s)
	case 14:
		m.peer()
	case 15:
		s.AcceptStop()
	case 16:
		s.AcceptStart()
	case 17:
		s.Fd()
		s.IsReadable()
		s.IsWritable()
		s.WriteQueueSize()
		s.SendBufferSize()
		s.SetRecvBufferSize(m.next() * 100)
	case 18, 19:
		m.moreOfStream(s)
	default:
		switch s := s.(type) {
		case *uv.TCP:
			m.tcp(s)
		case *uv.Pipe:
			m.pipe(s)
		}
	}
}

// openFD gives the stream one end of a connection, or something that it must refuse.
func (m *machine) openFD(s stream) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		panic(err)
	}
	fd := fds[0]
	switch m.next() % 8 {
	case 0: // a descriptor that another handle has
		if other, ok := m.handles[m.next()%len(m.handles)].(stream); ok {
			if n, err := other.Fd(); err == nil {
				s.OpenFD(n)
			}
		}
		fd = -1
	case 1: // no descriptor
		s.OpenFD(1 << 20)
		fd = -1
	case 2: // a file, which the kernel cannot poll
		f, err := os.Open("/proc/self/exe")
		if err != nil || s.OpenFD(f.Fd()) == nil {
			panic("a file was taken for a stream")
		}
		f.Close()
		fd = -1
	}
	if fd == -1 || s.OpenFD(uintptr(fd)) != nil {
		syscall.Close(fds[0])
		syscall.Close(fds[1])
		return
	}
	m.peers = append(m.peers, fds[1])
}

// peer does something at the other end.
func (m *machine) peer() {
	if len(m.peers) == 0 {
		return
	}
	i := m.next() % len(m.peers)
	switch m.next() % 4 {
	case 0:
		syscall.Write(m.peers[i], make([]byte, m.next()*200))
	case 1:
		syscall.Read(m.peers[i], make([]byte, 100_000))
	case 2:
		syscall.Shutdown(m.peers[i], syscall.SHUT_WR)
	case 3:
		syscall.Close(m.peers[i])
		m.peers = append(m.peers[:i], m.peers[i+1:]...)
	}
}

func (m *machine) accepted(h uv.Handle, err error) {
	if err == nil && m.next()%2 == 0 {
		m.handles[m.next()%len(m.handles)] = h
	}
	m.inside()
}

func (m *machine) tcp(t *uv.TCP) {
	addr := netip.MustParseAddrPort("127.0.0.1:1")
	if m.next()%4 == 0 {
		addr = netip.MustParseAddrPort("[::1]:0")
	}
	for _, h := range m.handles {
		if other, ok := h.(*uv.TCP); ok && m.next()%3 != 0 {
			if a, err := other.LocalAddr(); err == nil {
				addr = a
			}
		}
	}
	switch m.next() % 8 {
	case 0:
		t.Bind(netip.AddrPortFrom(addr.Addr(), 0), uv.BindFlags(m.next()%8))
	case 1:
		t.Bind(addr, 0)
	case 2, 3:
		opt := uv.ListenOptions{NoDelay: true, KeepAlive: time.Second, MaxConns: m.next() % 3, Stopped: m.next()%5 == 0}
		t.ListenWith(m.next(), opt, func(c *uv.TCP, err error) { m.accepted(c, err) })
	case 4, 5:
		f, begun := m.once("Connect")
		begun(t.Connect(addr, f))
	case 6:
		f, begun := m.once("CloseReset")
		begun(t.CloseReset(func() { f(nil) }))
	case 7:
		t.SetNoDelay(m.next()%2 == 0)
		t.SetKeepAlive(m.next()%2 == 0, time.Duration(m.next())*time.Second/8)
		t.RemoteAddr()
	}
}

func (m *machine) pipe(p *uv.Pipe) {
	path := fmt.Sprintf("%s/%d", m.dir, m.next()%4)
	if m.next()%4 == 0 {
		path = fmt.Sprintf("@uv-fuzz-%d-%d", os.Getpid(), m.next()%4)
	}
	switch m.next() % 8 {
	case 0:
		p.Bind(path)
	case 1:
		p.Listen(m.next(), func(c *uv.Pipe, err error) { m.accepted(c, err) })
	case 2:
		f, begun := m.once("Connect")
		begun(p.Connect(path, f))
	case 3:
		p.LocalAddr()
		p.RemoteAddr()
	default:
		m.ipc(p)
	}
}

// runSequence runs one sequence on a loop of its own and reports what it has left behind.
func runSequence(program []byte) error {
	before, live := descriptors(), cbridge.LiveAllocations()
	m := &machine{program: program, pending: map[string]int{}}
	l, err := uv.NewLoop(m.options()...)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("/tmp", "uv")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	m.l, m.dir = l, dir
	m.run()
	m.program = nil
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	m.ending = true
	cbridge.FailAllocation(0)
	for _, f := range m.files {
		f.Close(nil)
	}
	for _, d := range m.dirs {
		d.Close(nil)
	}
	if err := l.Shutdown(ctx); err != nil && !(m.closed && err == uv.ErrClosed) {
		return fmt.Errorf("shutdown: %w", err)
	}
	for _, fd := range append(m.peers, m.foreign...) {
		syscall.Close(fd)
	}
	for call, n := range m.pending {
		if n != 0 {
			return fmt.Errorf("%d callbacks of %s are missing", n, call)
		}
	}
	if after := descriptors(); len(after) != len(before) {
		return fmt.Errorf("descriptors before: %v, after: %v", before, after)
	}
	if n := cbridge.LiveAllocations(); n != live {
		return fmt.Errorf("%d allocations are left", n-live)
	}
	return nil
}

// childSequences runs the sequences that come on its standard input, each after its
// length, and answers each with a line.
func childSequences() error {
	if !cbridge.CountAllocations() {
		return fmt.Errorf("cannot count allocations")
	}
	l, err := uv.NewLoop(uv.WithWait(uv.WaitNetpoll)) // opens what the runtime's poller keeps for good
	if err != nil || l.Close() != nil {
		return fmt.Errorf("cannot begin: %w", err)
	}
	in := bufio.NewReader(os.Stdin)
	for {
		var n uint32
		if err := binary.Read(in, binary.LittleEndian, &n); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		program := make([]byte, n)
		if _, err := io.ReadFull(in, program); err != nil {
			return err
		}
		if err := runSequence(program); err != nil {
			return err
		}
		fmt.Println("ok")
	}
}

// sequenceRunner is a child process that runs sequences.
type sequenceRunner struct {
	in     io.WriteCloser
	out    *bufio.Reader
	errors bytes.Buffer
	cmd    *exec.Cmd
}

func newSequenceRunner(t testing.TB, env ...string) *sequenceRunner {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	r := &sequenceRunner{cmd: exec.Command(exe, childArg, "sequences")}
	r.cmd.Env = append(os.Environ(), env...)
	r.cmd.Stderr = &r.errors
	r.in, err = r.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := r.cmd.StdoutPipe()
	require.NoError(t, err)
	r.out = bufio.NewReader(out)
	require.NoError(t, r.cmd.Start())
	t.Cleanup(func() {
		r.in.Close()
		r.cmd.Wait()
	})
	return r
}

func (r *sequenceRunner) run(t testing.TB, program []byte) {
	t.Helper()
	msg := append(binary.LittleEndian.AppendUint32(nil, uint32(len(program))), program...)
	_, err := r.in.Write(msg)
	line, readErr := r.out.ReadString('\n')
	if err == nil && readErr == nil && line == "ok\n" {
		return
	}
	rest, _ := io.ReadAll(r.out)
	require.Fail(t, "a sequence has failed", "%q\n%s%s%s", program, line, rest, r.errors.String())
}

func randomSequence(seed uint64) []byte {
	random := rand.New(rand.NewPCG(seed, 148))
	program := make([]byte, 20+random.IntN(300))
	for i := range program {
		program[i] = byte(random.Uint32())
	}
	return program
}

func TestSequences(t *testing.T) {
	t.Run("UV-148", func(t *testing.T) {
		n := uint64(1000)
		if testing.Short() || slow {
			n = 300
		}
		if soak {
			n = 50_000
		}
		r := newSequenceRunner(t)
		for seed := range n {
			r.run(t, randomSequence(seed))
		}
	})
}

func FuzzSequences(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(randomSequence(seed))
	}
	r := newSequenceRunner(f)
	f.Fuzz(func(t *testing.T, program []byte) { r.run(t, program) })
}
