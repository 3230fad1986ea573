package proactortest

// Cases about OpenPipe.

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/internal/terminal"
)

// pipe is the two ends of a pipe of package os.
func (r *rig) pipe() (read, write *os.File) {
	r.t.Helper()
	if runtime.GOOS == "windows" {
		r.t.Skip("this system cannot wait for pipes")
	}
	read, write, err := os.Pipe()
	require.NoError(r.t, err)
	r.own(read)
	r.own(write)
	return read, write
}

// open gives f to the driver.
func (r *rig) open(f *os.File, use proactor.PipeUse) *recorder {
	r.t.Helper()
	s, err := r.p.OpenPipe(f, use)
	require.NoError(r.t, err)
	return r.record(s)
}

// pipeEnds runs test on the ends of everything that is like a pipe: what is written to
// write comes out of read.
func (r *rig) pipeEnds(test func(read, write *os.File)) {
	test(r.pipe())
	path := fifo(r.t)
	both, err := os.OpenFile(path, os.O_RDWR, 0) // so that neither end waits for the other
	require.NoError(r.t, err)
	read, err := os.OpenFile(path, os.O_RDONLY, 0)
	require.NoError(r.t, err)
	write, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(r.t, err)
	require.NoError(r.t, both.Close())
	r.own(read)
	r.own(write)
	test(read, write)
	read, write = filePair(r.t)
	r.own(read)
	r.own(write)
	test(read, write)
}

// terminal is the two sides of one, without an echo or lines.
func (r *rig) terminal() (master, slave *os.File) {
	r.t.Helper()
	master, slave, err := terminal.OpenPlain(false)
	if err != nil {
		r.t.Skipf("no terminals here: %v", err)
	}
	r.own(master)
	r.own(slave)
	return master, slave
}

var pipeCases = []testCase{
	{name: "OpenPipe reads", run: func(r *rig) {
		r.pipeEnds(func(read, write *os.File) {
			_, err := write.WriteString("before")
			require.NoError(r.t, err)
			rec := r.open(read, proactor.PipeRead)
			require.Nil(r.t, rec.s.LocalAddr())
			require.Nil(r.t, rec.s.RemoteAddr())
			requireOpen(r.t, rec.s.FD(), true)
			_, err = read.Read(make([]byte, 1))
			require.ErrorIs(r.t, err, os.ErrClosed, "the file is the driver's")
			r.settle()
			require.Empty(r.t, rec.got, "it does not read before ReadStart")
			rec.readStart()
			r.until("what waited", func() bool { return string(rec.got) == "before" })
			r.do("more", func() { _, _ = write.WriteString(", after") })
			r.until("more", func() bool { return string(rec.got) == "before, after" })
			r.settle()
			require.False(r.t, rec.eof)
			require.NoError(r.t, write.Close())
			r.until("the end", rec.isEOF)
			fd := rec.s.FD()
			rec.close()
			requireOpen(r.t, fd, false)
			r.until("closed", rec.isClosed)
		})
	}},
	{name: "OpenPipe writes", run: func(r *rig) {
		r.pipeEnds(func(read, write *os.File) {
			rec := r.open(write, proactor.PipeWrite)
			rec.readStart()
			rec.write([]byte("hello"))
			rec.writeV([]byte(", "), []byte("world"))
			r.until("flushed", func() bool { rec.s.Flush(); return rec.s.Buffered() == 0 })
			requireNext(r.t, read, "hello, world")
			r.settle()
			require.False(r.t, rec.eof, "the reader is there")
			rec.write([]byte("bye"))
			r.until("flushed", func() bool { rec.s.Flush(); return rec.s.Buffered() == 0 })
			rec.close()
			rest, err := io.ReadAll(read)
			require.NoError(r.t, err)
			require.Equal(r.t, "bye", string(rest), "and no descriptor keeps the pipe open")
			r.until("closed", rec.isClosed)
		})
	}},
	{name: "OpenPipe moves much", run: func(r *rig) {
		const total = 3 << 20
		r.pipeEnds(func(read, write *os.File) {
			rec := r.open(read, proactor.PipeRead)
			var got checker
			calls := 0
			rec.onData = func(b []byte) {
				got.check(b)
				if calls++; calls%5 == 0 {
					rec.readStop()
					rec.readStart()
				}
			}
			rec.readStart()
			r.spawn(func() { sendPattern(write, total, 1, 70000, 4096); _ = write.Close() })
			r.until("all", rec.isEOF)
			require.Equal(r.t, total, got.off)
			require.False(r.t, got.wrong)
		})
		r.pipeEnds(func(read, write *os.File) {
			rec := r.open(write, proactor.PipeWrite)
			rec.readStart()
			var got checker
			r.spawn(func() {
				b := make([]byte, 50000)
				for got.off < total {
					n, err := read.Read(b)
					if err != nil {
						r.t.Errorf("read: %v", err)
						return
					}
					got.check(b[:n])
				}
			})
			for off := 0; off < total; {
				n := min(total-off, 40000)
				rec.write(patternAt(off, n))
				off += len(patternAt(off, n))
			}
			r.until("flushed", func() bool { rec.s.Flush(); return rec.s.Buffered() == 0 })
			r.peers.Wait()
			require.Equal(r.t, total, got.off)
			require.False(r.t, got.wrong)
		})
	}},
	{name: "a pipe for writing hears that its reader is gone", run: func(r *rig) {
		r.pipeEnds(func(read, write *os.File) {
			rec := r.open(write, proactor.PipeWrite)
			require.NoError(r.t, read.Close())
			r.settle()
			require.False(r.t, rec.eof, "not before ReadStart")
			rec.readStart()
			require.False(r.t, rec.eof, "no handler runs inside ReadStart")
			r.until("the end", rec.isEOF)
			rec.readStart()
			r.settle() // and the recorder sees that it is told once
			rec.write([]byte("lost"))
			r.until("closed", rec.isClosed)
			require.ErrorIs(r.t, rec.err, syscall.EPIPE)
		})
	}},
	{name: "a pipe for writing hears it while bytes wait", run: func(r *rig) {
		read, write := r.pipe()
		rec := r.open(write, proactor.PipeWrite)
		rec.readStart()
		rec.write(make([]byte, 1<<20))
		rec.s.Flush()
		require.Positive(r.t, rec.s.Buffered())
		r.settle()
		require.NoError(r.t, read.Close())
		r.until("the end", func() bool { return rec.eof || rec.err != nil })
		if rec.err != nil {
			require.ErrorIs(r.t, rec.err, syscall.EPIPE)
		} else {
			require.Positive(r.t, rec.s.Buffered())
		}
		rec.close()
		r.until("closed", rec.isClosed)
	}},
	{name: "ReadStop ends the listening for the reader's end", run: func(r *rig) {
		read, write := r.pipe()
		rec := r.open(write, proactor.PipeWrite)
		rec.readStart()
		r.settle()
		rec.readStop()
		require.NoError(r.t, read.Close())
		r.settle()
		require.False(r.t, rec.eof)
		rec.readStart()
		r.until("the end", rec.isEOF)
	}},
	{name: "CloseWrite of a pipe", run: func(r *rig) {
		_, write := r.pipe()
		rec := r.open(write, proactor.PipeWrite)
		rec.s.CloseWrite()
		r.until("closed", rec.isClosed)
		require.ErrorIs(r.t, rec.err, syscall.ENOTSOCK)
		own, peer := filePair(r.t)
		r.own(peer)
		rec = r.open(own, proactor.PipeRead|proactor.PipeWrite)
		rec.write([]byte("last"))
		rec.s.CloseWrite()
		r.do("the end", func() {
			got, err := io.ReadAll(peer)
			if string(got) != "last" || err != nil {
				r.t.Errorf("read %q, %v", got, err)
			}
		})
		rec.readStart()
		_, err := peer.WriteString("answer")
		require.NoError(r.t, err)
		require.NoError(r.t, peer.Close())
		r.until("the answer", rec.isEOF)
		require.Equal(r.t, "answer", string(rec.got))
	}},
	{name: "a FIFO that nobody writes to yet", run: func(r *rig) {
		path := fifo(r.t)
		f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		require.NoError(r.t, err)
		rec := r.open(f, proactor.PipeRead)
		rec.readStart()
		r.settle()
		require.False(r.t, rec.eof)
		r.do("write", func() {
			write, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				r.t.Errorf("open: %v", err)
				return
			}
			_, _ = write.WriteString("hello")
			_ = write.Close()
		})
		r.until("the end", rec.isEOF)
		require.Equal(r.t, "hello", string(rec.got))
	}},
	{name: "a terminal", run: func(r *rig) {
		master, slave := r.terminal()
		a := r.open(master, proactor.PipeRead|proactor.PipeWrite)
		b := r.open(slave, proactor.PipeRead|proactor.PipeWrite)
		a.readStart()
		b.readStart()
		a.write([]byte("typed"))
		b.write([]byte("printed"))
		r.until("both", func() bool { return string(a.got) == "printed" && string(b.got) == "typed" })
		b.close()
		r.until("the end", a.isClosed)
		require.ErrorIs(r.t, a.err, syscall.EIO, "as the system tells of a terminal")
	}},
	{name: "a terminal loses nothing at its end", run: func(r *rig) {
		master, slave := r.terminal()
		rec := r.open(master, proactor.PipeRead)
		line := strings.Repeat("x", 3000)
		_, err := slave.WriteString(line)
		require.NoError(r.t, err)
		_, err = slave.WriteString(line)
		require.NoError(r.t, err)
		require.NoError(r.t, slave.Close())
		rec.readStart()
		r.until("the end", rec.isClosed)
		require.Equal(r.t, line+line, string(rec.got))
		require.ErrorIs(r.t, rec.err, syscall.EIO)
	}},
	{name: "OpenPipe refuses other files and leaves them alone", run: func(r *rig) {
		read, write := r.pipe()
		fresh, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
		require.NoError(r.t, err)
		datagrams, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
		require.NoError(r.t, err)
		exe, err := os.Open(rawPath(r.t))
		require.NoError(r.t, err)
		dir, err := os.Open(os.TempDir())
		require.NoError(r.t, err)
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		require.NoError(r.t, err)
		for _, c := range []struct {
			f   *os.File
			use proactor.PipeUse
			err error
		}{
			{exe, proactor.PipeRead, syscall.EPERM},
			{dir, proactor.PipeRead, syscall.EPERM},
			{null, proactor.PipeRead, syscall.EPERM},
			{null, proactor.PipeWrite, syscall.EPERM},
			{read, proactor.PipeWrite, syscall.EBADF},
			{write, proactor.PipeRead, syscall.EBADF},
			{write, proactor.PipeRead | proactor.PipeWrite, syscall.EBADF},
			{os.NewFile(uintptr(fresh), "fresh"), proactor.PipeRead, syscall.ENOTCONN},
			{os.NewFile(uintptr(datagrams), "datagrams"), proactor.PipeRead, syscall.EPROTOTYPE},
		} {
			r.own(c.f)
			fd := int(c.f.Fd())
			rawBlocking(r.t, fd, true)
			_, err := r.p.OpenPipe(c.f, c.use)
			require.ErrorIs(r.t, err, c.err, c.f.Name())
			requireOpen(r.t, fd, true)
			requireBlocking(r.t, fd, true)
			require.Equal(r.t, fd, int(c.f.Fd()), "it is open")
		}
		require.NoError(r.t, read.Close())
		_, err = r.p.OpenPipe(read, proactor.PipeRead)
		require.ErrorIs(r.t, err, os.ErrClosed)
		read, write = r.pipe()
		r.close()
		_, err = r.p.OpenPipe(read, proactor.PipeRead)
		require.ErrorIs(r.t, err, net.ErrClosed)
		_, err = write.WriteString("x")
		require.NoError(r.t, err)
		n, err := read.Read(make([]byte, 10))
		require.NoError(r.t, err)
		require.Equal(r.t, 1, n)
	}},
	{name: "OpenPipe of standard input", run: func(r *rig) {
		read, write := r.pipe()
		withStdin(r.t, read, func(stdin *os.File) {
			require.NoError(r.t, read.Close())
			rec := r.open(stdin, proactor.PipeRead)
			requireOpen(r.t, 0, true)
			n, err := stdin.Read(make([]byte, 1))
			require.Zero(r.t, n)
			require.ErrorIs(r.t, err, io.EOF, "the null device has its number")
			rec.readStart()
			_, err = write.WriteString("typed")
			require.NoError(r.t, err)
			require.NoError(r.t, write.Close())
			r.until("the end", rec.isEOF)
			require.Equal(r.t, "typed", string(rec.got))
			rec.close()
			requireOpen(r.t, 0, true)
		})
	}},
	{name: "OpenPipe, and Close of the proactor", run: func(r *rig) {
		for _, reads := range []bool{true, false} {
			read, write := r.pipe()
			own, use, peer := read, proactor.PipeRead, write
			if !reads {
				own, use, peer = write, proactor.PipeWrite, read
			}
			_, err := r.p.OpenPipe(own, use)
			require.NoError(r.t, err)
			_ = peer
		}
		_, write := r.pipe()
		r.open(write, proactor.PipeWrite).readStart()
		_, write = r.pipe()
		r.open(write, proactor.PipeWrite).write(make([]byte, 1<<20))
		r.poll(0)
	}},
	{name: "OpenPipe without descriptors leaves it alone", run: func(r *rig) {
		for _, use := range []proactor.PipeUse{proactor.PipeRead, proactor.PipeWrite} {
			read, write := r.pipe()
			own := read
			if use == proactor.PipeWrite {
				own = write
			}
			for n := 0; ; n++ { // a driver may need several
				require.Less(r.t, n, 32, "so many descriptors are enough")
				var s proactor.Stream
				var err error
				withDescriptors(r.t, n, func() { s, err = r.p.OpenPipe(own, use) })
				if err == nil {
					s.Close()
					break
				}
				require.True(r.t, errors.Is(err, syscall.EMFILE), err)
				_, err = write.WriteString("x")
				require.NoError(r.t, err)
				n, err := read.Read(make([]byte, 10))
				require.NoError(r.t, err)
				require.Equal(r.t, 1, n)
			}
		}
	}},
}
