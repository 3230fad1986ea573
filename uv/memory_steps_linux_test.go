//go:build cgo

package uv_test

// What memory is refused for, a step for each kind of handles and requests. A step goes
// on after an error as far as it makes sense.

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio/internal/terminal"
	"github.com/seed-a026a017/asyncio/uv"
)

func (m *memories) phases() {
	a, err := m.l.NewAsync(nil)
	if m.note(err) {
		m.note(a.Send())
		a.Close()
	}
	idle, err := m.l.NewIdle()
	if m.note(err) {
		m.begun(idle.Start(func() {
			m.waiting--
			idle.Close()
		}))
	}
	done := m.begin()
	_, err = m.l.QueueWork(func() {}, done)
	if !m.note(err) {
		m.waiting--
	}
}

func (m *memories) signal() {
	s, err := m.l.NewSignal()
	if !m.note(err) || !m.begun(s.Start(syscall.SIGWINCH, func(syscall.Signal) {
		if !s.IsClosing() {
			m.waiting--
			s.Close()
		}
	})) {
		return
	}
	m.note(uv.Kill(os.Getpid(), syscall.SIGWINCH))
}

// udpMany sends more than the kernel takes at once, to a name of its own.
func (m *memories) udpMany() {
	fds, err := uv.SocketPair(syscall.SOCK_DGRAM, 0, true, true)
	if !m.note(err) {
		return
	}
	a, err := m.l.NewUDP(uv.UDPOptions{})
	b, err2 := m.l.NewUDP(uv.UDPOptions{Recvmmsg: true})
	err = errors.Join(err, err2)
	if err == nil {
		err = a.OpenFD(fds[0])
	}
	if err != nil {
		syscall.Close(int(fds[0]))
	} else if err = b.OpenFD(fds[1]); err == nil {
		err = b.RecvStartUnix(func(_ uv.Datagram, _ string, err error) { m.note(err) })
	}
	if err != nil {
		if b == nil || b.IsClosing() || a == nil || errors.Is(b.OpenFD(fds[1]), uv.ENOMEM) {
			syscall.Close(int(fds[1]))
		}
		m.note(err)
		return
	}
	outstanding := 0
	for range 300 {
		m.waiting++
		outstanding++
		if err := a.SendUnix(make([]byte, 2000), "", func(err error) {
			m.waiting--
			m.note(err)
			if outstanding--; outstanding == 0 {
				a.Close()
				b.Close()
			}
		}); !m.note(err) {
			m.waiting--
			outstanding--
		}
	}
}

// closeOpen closes what steps have opened.
func (m *memories) closeOpen() {
	open := m.open
	m.open = nil
	for _, close := range open {
		done := m.begin()
		close(func(err error) {
			if errors.Is(err, uv.ENOMEM) {
				m.open = append(m.open, close)
			}
			done(err)
		})
	}
}

func (m *memories) opened(close func(done func(error)) *uv.Req) { m.open = append(m.open, close) }

// fileSteps are the requests of an open file, and those of an open directory.
func (m *memories) fileSteps() []func() {
	f, now := m.l.FS(), time.Now()
	path := filepath.Join(m.dir, "file")
	open := func() {
		done := m.begin()
		f.Open(path, os.O_RDWR|os.O_CREATE, 0o600, func(file *uv.File, err error) {
			if m.file = file; file != nil {
				m.opened(file.Close)
			}
			done(err)
		})
	}
	number := func(done func(error)) func(int, error) { return func(_ int, err error) { done(err) } }
	use := func(begin func(file *uv.File, done func(error))) func() {
		return func() {
			if m.file != nil {
				begin(m.file, m.begin())
			}
		}
	}
	bufs := [][]byte{make([]byte, 10), make([]byte, 20), make([]byte, 30), make([]byte, 40), make([]byte, 50)}
	return []func(){
		open,
		use(func(file *uv.File, done func(error)) { file.Write([]byte("hello"), number(done)) }),
		use(func(file *uv.File, done func(error)) { file.WriteAt([]byte("hello"), 3, number(done)) }),
		use(func(file *uv.File, done func(error)) { file.WriteV(bufs, 0, number(done)) }),
		use(func(file *uv.File, done func(error)) { file.ReadV(bufs, 0, number(done)) }),
		use(func(file *uv.File, done func(error)) { file.ReadAt(bufs[0], 0, number(done)) }),
		use(func(file *uv.File, done func(error)) { file.Stat(func(_ fs.FileInfo, err error) { done(err) }) }),
		use(func(file *uv.File, done func(error)) { file.Sync(done) }),
		use(func(file *uv.File, done func(error)) { file.Datasync(done) }),
		use(func(file *uv.File, done func(error)) { file.Truncate(7, done) }),
		use(func(file *uv.File, done func(error)) { file.Chmod(0o644, done) }),
		use(func(file *uv.File, done func(error)) { file.Chown(-1, -1, done) }),
		use(func(file *uv.File, done func(error)) { file.Chtimes(now, now, done) }),
		use(func(file *uv.File, done func(error)) {
			f.SendFile(file, file, 0, 3, func(_ int64, err error) { done(err) })
		}),
		m.closeOpen,
		func() {
			done := m.begin()
			f.CreateTemp(filepath.Join(m.dir, "XXXXXX"), func(file *uv.File, err error) {
				if file != nil {
					m.opened(file.Close)
				}
				done(err)
			})
		},
		m.closeOpen,
		func() {
			done := m.begin()
			f.OpenDir(m.dir, func(d *uv.Dir, err error) {
				if m.listed = d; d != nil {
					m.opened(d.Close)
				}
				done(err)
			})
		},
		func() {
			if m.listed != nil {
				done := m.begin()
				m.listed.Read(3, func(_ []fs.DirEntry, err error) { done(err) })
			}
		},
		m.closeOpen,
	}
}

// pathSteps are the requests about paths.
func (m *memories) pathSteps() []func() {
	f, now := m.l.FS(), time.Now()
	path, other, link := filepath.Join(m.dir, "file"), filepath.Join(m.dir, "other"), filepath.Join(m.dir, "link")
	info := func(done func(error)) func(fs.FileInfo, error) { return func(_ fs.FileInfo, err error) { done(err) } }
	text := func(done func(error)) func(string, error) { return func(_ string, err error) { done(err) } }
	var steps []func()
	for _, begin := range []func(done func(error)){
		func(done func(error)) { done(os.WriteFile(path, []byte("hello"), 0o600)) },
		func(done func(error)) { f.Stat(path, info(done)) },
		func(done func(error)) { f.Lstat(path, info(done)) },
		func(done func(error)) { f.StatFS(path, func(_ uv.StatFS, err error) { done(err) }) },
		func(done func(error)) { f.Access(path, 4, done) },
		func(done func(error)) { f.Chmod(path, 0o644, done) },
		func(done func(error)) { f.Chown(path, -1, -1, done) },
		func(done func(error)) { f.Lchown(path, -1, -1, done) },
		func(done func(error)) { f.Chtimes(path, now, now, done) },
		func(done func(error)) { f.Lchtimes(path, now, now, done) },
		func(done func(error)) { f.CopyFile(path, other, 0, done) },
		func(done func(error)) { f.CopyFile(path, other, 0, done) }, // over a file that is there
		func(done func(error)) { f.Symlink(path, link, 0, done) },
		func(done func(error)) { f.Readlink(link, text(done)) },
		func(done func(error)) { f.Realpath(link, text(done)) },
		func(done func(error)) { f.ReadDir(m.dir, func(_ []fs.DirEntry, err error) { done(err) }) },
		func(done func(error)) { f.Link(path, link+"2", done) },
		func(done func(error)) { f.Rename(other, other+"2", done) },
		func(done func(error)) { f.Remove(link, done) },
		func(done func(error)) { f.Mkdir(filepath.Join(m.dir, "d"), 0o700, done) },
		func(done func(error)) { f.Rmdir(filepath.Join(m.dir, "d"), done) },
		func(done func(error)) { f.MkdirTemp(filepath.Join(m.dir, "XXXXXX"), text(done)) },
	} {
		steps = append(steps, func() { begin(m.begin()) })
	}
	return steps
}

// filesAtOnce are the requests without a loop.
func (m *memories) filesAtOnce() {
	var f uv.FSSync
	path, other := filepath.Join(m.dir, "file"), filepath.Join(m.dir, "other")
	if file, err := f.Open(path, os.O_RDWR|os.O_CREATE, 0o600); m.note(err) {
		_, err := file.WriteV([][]byte{{1}, {2}, {3}, {4}, {5}}, 0)
		m.note(err)
		_, err = file.Stat()
		m.note(err)
		m.note(file.Truncate(3))
		if err := file.Close(); err != nil {
			panic(err) // to close needs no memory
		}
	}
	_, err := f.Stat(path)
	m.note(err)
	_, err = f.StatFS(path)
	m.note(err)
	m.note(f.Symlink(path, other, 0))
	_, err = f.Readlink(other)
	m.note(err)
	_, err = f.Realpath(other)
	m.note(err)
	_, err = f.ReadDir(m.dir)
	m.note(err)
	if d, err := f.OpenDir(m.dir); m.note(err) {
		_, err = d.Read(3)
		m.note(err)
		if err := d.Close(); err != nil {
			panic(err)
		}
	}
	m.note(f.CopyFile(path, path+"2", 0))
	m.note(f.CopyFile(path, path+"2", 0))
	_, err = f.MkdirTemp(filepath.Join(m.dir, "XXXXXX"))
	m.note(err)
	m.note(f.Rename(path, other))
	m.note(f.Remove(other))
}

// atOnce is what else needs no loop.
func (m *memories) atOnce() {
	_, err := uv.GetAddrInfoSync("127.0.0.1", "80", uv.AddrInfoHints{})
	m.note(err)
	_, err = uv.GetAddrInfoSync("localhost", "", uv.AddrInfoHints{})
	m.note(err)
	_, _, err = uv.GetNameInfoSync(netip.MustParseAddrPort("127.0.0.1:80"), 0)
	m.note(err)
	m.note(uv.RandomSync(make([]byte, 8)))
}

func (m *memories) system() {
	for _, ask := range []func() error{
		func() error { _, err := uv.CPUInfo(); return err },
		func() error { _, err := uv.InterfaceAddresses(); return err },
		func() error { _, err := uv.IfName(1); return err },
		func() error { _, err := uv.Passwd(); return err },
		func() error { _, err := uv.PasswdByUID(0); return err },
		func() error { _, err := uv.GroupByGID(0); return err },
		func() error { _, err := uv.HomeDir(); return err },
		func() error { _, err := uv.TmpDir(); return err },
		func() error { _, err := uv.Hostname(); return err },
		func() error { _, err := uv.Uname(); return err },
		func() error { _, err := uv.ExePath(); return err },
		func() error { _, err := uv.Cwd(); return err },
		func() error { _, err := uv.Rusage(); return err },
		func() error { _, err := uv.RSS(); return err },
		func() error { _, err := uv.Uptime(); return err },
		func() error { uv.TotalMemory(); uv.FreeMemory(); uv.ConstrainedMemory(); uv.LoadAvg(); return nil },
	} {
		if err := ask(); err != nil && !errors.Is(err, uv.ErrNotSupported) {
			m.note(err)
		}
	}
}

// lib loads what there is and what there is not.
func (m *memories) lib() {
	lib, err := uv.OpenLib("")
	if m.note(err) {
		_, err = lib.Sym("getpid")
		m.note(err)
		if _, err = lib.Sym("nosuch"); errors.Is(err, uv.ENOMEM) {
			m.note(err)
		}
		lib.Close()
	}
	if _, err = uv.OpenLib("/nosuch"); errors.Is(err, uv.ENOMEM) {
		m.note(err)
	}
}

func (m *memories) fsEvent() {
	e, err := m.l.NewFSEvent()
	if !m.note(err) || !m.begun(e.Start(m.dir, 0, func(_ string, _ uv.FSEvents, err error) {
		if m.note(err); !e.IsClosing() {
			m.waiting--
			e.Close()
		}
	})) {
		return
	}
	for i := range 100 {
		name := fmt.Sprint(i, strings.Repeat("a name that is long ", 5))
		m.note(os.WriteFile(filepath.Join(m.dir, name), nil, 0o600))
	}
}

func (m *memories) fsPoll() {
	p, err := m.l.NewFSPoll()
	if !m.note(err) || !m.begun(p.Start(filepath.Join(m.dir, "nosuch"), time.Millisecond, func(_, _ fs.FileInfo, err error) {
		if !errors.Is(err, fs.ErrNotExist) {
			m.note(err)
		}
		if !p.IsClosing() {
			m.waiting--
			p.Close()
		}
	})) {
		return
	}
}

func (m *memories) child() {
	in, err := m.l.NewPipe()
	if !m.note(err) {
		return
	}
	out, err := m.l.NewPipe()
	if !m.note(err) {
		return
	}
	_, err = m.l.Spawn(uv.SpawnOptions{
		File: "cat",
		Stdio: []uv.StdioContainer{
			{Kind: uv.StdioCreatePipe, Flags: uv.StdioReadable, Stream: &in.Stream},
			{Kind: uv.StdioCreatePipe, Flags: uv.StdioWritable, Stream: &out.Stream},
		},
	}, func(uv.ExitStatus) { m.waiting-- })
	if !m.begun(err) {
		return
	}
	m.begun(out.ReadStart(func(_ []byte, err error) {
		if err != nil && !out.IsClosing() {
			m.waiting--
			out.Close()
		}
	}))
	m.note(in.Write([]byte("hello"), nil))
	in.CloseWith(nil)
}

// passHandles sends handles behind more bytes than the kernel takes at once.
func (m *memories) passHandles() {
	fds, err := uv.SocketPair(syscall.SOCK_STREAM, 0, true, true)
	if !m.note(err) {
		return
	}
	var ends [2]*uv.Pipe
	for i := range ends {
		p, err := m.l.NewPipeIPC()
		if err == nil {
			err = p.OpenFD(fds[i])
		}
		if !m.note(err) {
			syscall.Close(int(fds[i]))
			continue
		}
		ends[i] = p
	}
	from, to := ends[0], ends[1]
	if from == nil || to == nil {
		return
	}
	over := false
	end := func() {
		if !over {
			over = true
			m.waiting--
			to.Close()
		}
	}
	if !m.begun(to.ReadStartHandles(func(_ []byte, handles []uv.Handle, err error) {
		if m.note(err); err != nil || len(handles) > 0 {
			end()
		}
		for _, h := range handles {
			h.Close()
		}
	})) {
		return
	}
	written := func(err error) {
		m.waiting--
		if !m.note(err) {
			end()
		}
	}
	m.waiting++
	if !m.note(from.Write(make([]byte, 1<<20), written)) {
		m.waiting--
		end()
		return
	}
	m.waiting++
	if !m.note(from.WriteHandle([]byte("x"), to, written)) {
		m.waiting--
		end()
	}
}

// terminal changes the mode of a terminal, writes to it and reads it.
func (m *memories) terminal() {
	user, program, err := terminal.Open()
	if !m.note(err) {
		return
	}
	defer syscall.Close(program)
	tty, err := m.l.NewTTY(uintptr(program))
	if !m.note(err) || !m.begun(tty.ReadStart(func(_ []byte, err error) {
		if m.note(err); !tty.IsClosing() {
			m.waiting--
			tty.Close()
			syscall.Close(user)
		}
	})) {
		syscall.Close(user)
		return
	}
	m.note(tty.SetMode(uv.TTYRaw))
	m.note(tty.Write([]byte("hello"), nil))
	_, err = syscall.Write(user, []byte("x\n"))
	m.note(err)
}
