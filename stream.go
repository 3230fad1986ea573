package asyncio

// Streams: connections that tasks read and write, without callbacks of their own.

import (
	"context"
	"runtime"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// OpenConnection connects to address and returns the two ends of the stream:
// asyncio.open_connection, and open_unix_connection. Network, address and errors are
// those of Loop.CreateConnection; WithLimit sets the reader's limit.
// Suspends. Cancelled: the connection is closed.
func OpenConnection(ctx context.Context, network, address string, opts ...ConnectOption) (*StreamReader, *StreamWriter, error) {
	a, err := enterTask(ctx, "OpenConnection")
	if err != nil {
		return nil, nil, err
	}
	l := a.task.loop
	p := newStreamProtocol(l, newConnectConfig(opts).limit, nil)
	if _, _, err := l.CreateConnection(ctx, func() Protocol { return p }, network, address, opts...); err != nil {
		return nil, nil, err
	}
	return &p.reader, newStreamWriter(p), nil
}

// StartServer listens on address and runs handler for every connection, each as a task of
// its own: asyncio.start_server, and start_unix_server. Network, address and errors are
// those of Loop.CreateServer. The tasks' contexts have the values of ctx.
//
// The handler closes its writer. If it returns an error, or panics, that goes to the
// exception handler and the connection is closed; when it is cancelled, the connection is
// closed. A handler may return and leave the writer to somebody else, who closes it. If
// nobody has it any more, it was forgotten: within about a second a warning names the
// handler, and the connection is closed.
// Suspends. Cancelled: nothing listens.
func StartServer(ctx context.Context, handler func(ctx context.Context, r *StreamReader, w *StreamWriter) error, network, address string, opts ...ServerOption) (*Server, error) {
	if handler == nil {
		panic(misuse(ErrInvalidArgument, "StartServer was given a nil handler"))
	}
	a, err := enterTask(ctx, "StartServer")
	if err != nil {
		return nil, err
	}
	l, c := a.task.loop, newServerConfig(opts)
	s := &streamServer{ctx: ctx, handler: handler}
	return l.createServer(ctx, func() Protocol { return newStreamProtocol(l, c.limit, s) }, network, address, c)
}

// streamServer is what the connections of one StartServer share.
type streamServer struct {
	ctx     context.Context
	handler func(ctx context.Context, r *StreamReader, w *StreamWriter) error
}

// streamProtocol stands between a transport and the two ends of a stream:
// asyncio.StreamReaderProtocol.
type streamProtocol struct {
	reader StreamReader
	server *streamServer // nil: OpenConnection has made it
	task   *Task[None]   // that runs the server's handler
	waits  *streamWaits  // nil: nobody has waited yet
	paused bool          // by PauseWriting
	lost   bool
}

// streamWaits is the tasks in Drain and in WaitClosed, and what they are told; and the
// NetConn that is told too.
type streamWaits struct {
	drains, closes waitQueue
	failure        error // of ConnectionLost
	net            *netStream
}

func (p *streamProtocol) waiting() *streamWaits {
	if p.waits == nil {
		p.waits = new(streamWaits)
	}
	return p.waits
}

// failure is what has broken the connection; nil: nothing, so far.
func (p *streamProtocol) failure() error {
	if p.waits == nil {
		return nil
	}
	return p.waits.failure
}

func newStreamProtocol(l *Loop, limit int, s *streamServer) *streamProtocol {
	p := &streamProtocol{server: s}
	p.reader.init(l, limit)
	return p
}

// ConnectionMade implements BaseProtocol.
func (p *streamProtocol) ConnectionMade(t Transport) {
	p.reader.transport = t
	if p.server == nil {
		return
	}
	w := newStreamWriter(p)
	p.task = CreateTask(p.server.ctx, func(ctx context.Context) (None, error) {
		err := p.server.handler(ctx, &p.reader, w)
		runtime.KeepAlive(w) // a handler that only reads still has it
		return None{}, err
	})
	p.task.addDone((*handlerEnd)(p))
}

// handlerEnd is a stream whose handler has ended.
type handlerEnd streamProtocol

func (h *handlerEnd) run(l *Loop) {
	t := h.task
	h.task = nil
	err := t.Exception()
	if err == nil {
		if !h.reader.transport.IsClosing() {
			lookForDropped()
		}
		return
	}
	if !t.Cancelled() {
		l.CallExceptionHandler(ErrorContext{
			Message:   "Unhandled exception in client_connected_cb",
			Exception: err,
			Transport: h.reader.transport,
			Context:   t.Context(),
		})
	}
	h.reader.transport.Close()
}

// readable and stopPulling implement pullProtocol.
func (p *streamProtocol) readable(src proactor.Source) bool { return p.reader.readable(src) }
func (p *streamProtocol) stopPulling()                      { p.reader.stopPulling() }

// heldBytes implements holdingProtocol.
func (p *streamProtocol) heldBytes() int {
	if s := p.reader.net; s != nil {
		return s.heldBytes()
	}
	return p.reader.buf.len()
}

// DataReceived implements Protocol.
func (p *streamProtocol) DataReceived(data []byte) { p.reader.FeedData(data) }

// EOFReceived implements Protocol: the stream stays open for writing, which over TLS it
// cannot.
func (p *streamProtocol) EOFReceived() bool {
	p.reader.FeedEOF()
	_, secured := p.reader.transport.(*tlsTransport)
	return !secured
}

// PauseWriting implements Protocol.
func (p *streamProtocol) PauseWriting() {
	p.paused = true
	if p.waits != nil && p.waits.net != nil {
		p.waits.net.setFull(true)
	}
}

// ResumeWriting implements Protocol.
func (p *streamProtocol) ResumeWriting() {
	p.paused = false
	if p.waits != nil {
		p.waits.drains.wakeAll()
		if p.waits.net != nil {
			p.waits.net.setFull(false)
		}
	}
}

// ConnectionLost implements BaseProtocol.
func (p *streamProtocol) ConnectionLost(err error) {
	p.lost = true
	if err == nil {
		p.reader.FeedEOF()
	} else {
		p.waiting().failure = err
		p.reader.SetException(err)
	}
	if p.waits != nil {
		p.waits.closes.wakeAll()
		p.waits.drains.wakeAll()
		if p.waits.net != nil {
			p.waits.net.lost(err)
		}
	}
}
