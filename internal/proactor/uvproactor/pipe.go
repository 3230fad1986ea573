//go:build cgo

package uvproactor

// Pipes: a pipe is a stream of libuv's, whatever its file is. One for writing only has
// nothing to read, so a watch of a duplicate tells that its reader is gone.

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/internal/proactor/system"
	"github.com/seed-a026a017/asyncio/uv"
)

// writePipe is the stream of a pipe for writing only.
type writePipe struct {
	stream
	hangUp *watch
}

func (d *driver) OpenPipe(f *os.File, use proactor.PipeUse) (proactor.Stream, error) {
	if d.closed {
		return nil, fmt.Errorf("open pipe %s: the proactor is closed: %w", f.Name(), net.ErrClosed)
	}
	var s proactor.Stream
	err := system.TakeFile(f, use, func(fd int) (err error) {
		s, err = d.openPipe(fd, use)
		return err
	})
	return s, err
}

// openPipe owns fd.
func (d *driver) openPipe(fd int, use proactor.PipeUse) (proactor.Stream, error) {
	p, err := d.loop.NewPipe()
	if err != nil {
		return nil, errors.Join(err, syscall.Close(fd))
	}
	if err := p.OpenFD(uintptr(fd)); err != nil {
		p.Close()
		return nil, errors.Join(err, syscall.Close(fd))
	}
	if use != proactor.PipeWrite {
		s := newStream(d, &p.Stream)
		s.names = new(names)
		return s, nil
	}
	w := &writePipe{stream: stream{conn: &p.Stream, d: d, names: new(names)}}
	p.SetHandler(&w.stream)
	hangUp, err := d.Watch(fd, w)
	if err != nil {
		p.Close()
		return nil, err
	}
	w.hangUp = hangUp.(*watch)
	return w, nil
}

func (w *writePipe) ReadStart() {
	if w.ended || w.broken {
		return
	}
	if err := w.hangUp.want(uv.Disconnect); err != nil {
		w.fail(err)
	}
}

func (w *writePipe) ReadStop() { _ = w.hangUp.want(0) } // it fails on a closed one only

func (w *writePipe) Close() {
	w.hangUp.Close()
	w.stream.Close()
}

// Ready hears that the reader is gone.
func (w *writePipe) Ready(bool, bool) {
	if w.broken {
		return
	}
	w.ended = true
	w.ReadStop()
	w.h.EOF()
}
