package asyncio

// Reading a stream. The transport feeds bytes in, one task reads them out. What is fed
// while the task waits in Read goes straight into its memory; all else is buffered. When
// more than twice the limit is buffered the transport is paused, and resumed once it is
// no more than the limit, or when somebody waits for more.
//
// What comes in bulk is not fed but pulled, if the driver can: a task that waits in Read
// is only woken, and reads for itself. So the kernel's copy is the only one, and a
// message is answered before the next one is read: echoes of 100 KiB on 10 and on 100
// connections cost 1.13 and 1.27 times a C server's time, where feeding cost 1.31 and
// 1.80. The same goes for messages from 1 KiB on where a Read has room for more than came
// the last time: its one system call brings all there is.
//
// A read that is cancelled has consumed nothing.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

const (
	// what is less is pulled only where it probably fits: a system call for a part
	// costs more than a copy
	pullBytesMin = 16 << 10
	pullBytesMax = 256 << 10 // what Reads may pull in a row before the task has to wait for its next turn
	fillBytesMin = 64 << 10  // room in the buffer that bytes are pulled into
	// memory that is made for bytes before they have come: a peer that sends one holds
	// so much
	reserveBytesMax = 256 << 10
)

// ErrConcurrentRead: a task wants to read from a stream while another one waits for data
// there.
var ErrConcurrentRead = errors.New("asyncio: concurrent read of a stream")

// IncompleteReadError: the stream has ended before all was there:
// asyncio.IncompleteReadError. errors.Is finds it to be io.ErrUnexpectedEOF.
type IncompleteReadError struct {
	Partial  []byte // what had come
	Expected int    // bytes; -1: not known
}

func (e *IncompleteReadError) Error() string {
	expected := "undefined"
	if e.Expected >= 0 {
		expected = fmt.Sprint(e.Expected)
	}
	return fmt.Sprintf("asyncio: %d bytes read on a total of %s expected bytes", len(e.Partial), expected)
}

// Is makes the error match io.ErrUnexpectedEOF.
func (e *IncompleteReadError) Is(target error) bool { return target == io.ErrUnexpectedEOF }

// LimitOverrunError: no separator within the limit: asyncio.LimitOverrunError.
type LimitOverrunError struct {
	Consumed int // bytes in the buffer that are no part of a separator, and can be read with ReadExactly
	found    bool
}

func (e *LimitOverrunError) Error() string {
	if e.found {
		return fmt.Sprintf("asyncio: the separator is found, but the %d bytes before it exceed the limit", e.Consumed)
	}
	return fmt.Sprintf("asyncio: the separator is not found, and %d bytes exceed the limit", e.Consumed)
}

// StreamReader is the reading end of a stream: asyncio.StreamReader. Its methods are for
// the loop's goroutine, and those that take a context for tasks: elsewhere they return
// ErrNotCurrentTask. One task reads at a time; another one that tries gets
// ErrConcurrentRead.
type StreamReader struct {
	shared    *streamsOfLoop
	transport Transport       // nil: none to pause
	source    proactor.Source // what Reads may pull from
	buf       readBuffer
	direct    []byte     // the memory of a Read that waits
	net       *netStream // that takes all that comes, see NetConn; nil: none
	err       error      // what SetException has set
	limit     int
	want      int // buffered bytes at which to wake the task that waits
	waiter    waitPoint
	eof       bool
	paused    bool
	busy      bool  // a task is inside wait
	pullable  int32 // bytes that Reads may pull, since the kernel probably has some
	recent    int32 // how many bytes came the last time, or more; 0: not known
	got       int32 // bytes of direct that were filled when the Read was woken
}

// NewStreamReader makes a reader that the caller feeds. It panics with ErrInvalidArgument
// unless limit, which is in bytes, is positive.
func NewStreamReader(l *Loop, limit int) *StreamReader {
	if l == nil {
		panic(misuse(ErrNoRunningLoop, "NewStreamReader was given no loop"))
	}
	checkLimit(limit)
	r := &StreamReader{}
	r.init(l, limit)
	return r
}

func (r *StreamReader) init(l *Loop, limit int) {
	r.shared, r.limit = streamsOf(l), limit
}

// FeedData adds bytes that have come: feed_data. It takes no hold of b. After FeedEOF it
// panics with ErrInvalidState.
func (r *StreamReader) FeedData(b []byte) {
	if r.eof {
		panic(misuse(ErrInvalidState, "FeedData after FeedEOF"))
	}
	r.recent = int32(min(len(b), math.MaxInt32))
	if r.net != nil {
		r.net.feed(b)
		return
	}
	if r.direct != nil && r.waiter.taken() && len(b) > 0 {
		r.got = int32(copy(r.direct[:min(len(r.direct), math.MaxInt32)], b))
		b = b[r.got:]
		r.waiter.wake(nil)
	}
	if len(b) == 0 {
		return
	}
	r.reserve(len(b))
	r.buf.write(&r.shared.buffers, b)
	r.fed()
}

// directly is the memory of a Read that waits, if bytes may go there; nil: feed them.
func (r *StreamReader) directly() []byte {
	if r.direct != nil && r.waiter.taken() {
		return r.direct[:min(len(r.direct), math.MaxInt32)]
	}
	return nil
}

// filled tells that b, the first bytes of that memory, have come.
func (r *StreamReader) filled(b []byte) {
	switch {
	case len(b) == 0:
	case !r.waiter.taken(): // a callback of crypto/tls has cancelled the Read
		r.FeedData(b)
	default:
		r.recent, r.got = int32(len(b)), int32(len(b))
		r.waiter.wake(nil)
	}
}

// reserve is called before at least n bytes are buffered. If a task waits for a number of
// bytes that they are a part of, they get memory of just that size, which will be the
// task's.
func (r *StreamReader) reserve(n int) {
	if r.buf.data == nil && r.waiter.taken() && r.want >= n && r.want <= reserveBytesMax {
		r.buf.data = make([]byte, 0, r.want)
	}
}

// fed is called when the buffer has got more.
func (r *StreamReader) fed() {
	if r.waiter.taken() {
		if r.buf.len() < r.want {
			return
		}
		r.waiter.wake(nil)
	}
	if r.transport != nil && !r.paused && r.buf.len() > 2*r.limit {
		r.paused = true
		r.transport.PauseReading()
	}
}

// readable is called when the kernel has bytes in bulk. It is false if they shall be fed.
func (r *StreamReader) readable(src proactor.Source) bool {
	if r.eof || r.err != nil {
		return false
	}
	if r.net != nil {
		return r.net.readable(src)
	}
	if r.direct != nil && r.waiter.taken() {
		if !r.pulls(r.direct) {
			return false
		}
		r.pullable, r.source = pullBytesMax, src
		r.waiter.wake(nil)
		return true
	}
	if r.recent < pullBytesMin {
		return false // there is little to copy
	}
	room := fillBytesMin
	if r.waiter.taken() {
		r.reserve(pullBytesMin)
		missing := r.want - r.buf.len()
		if missing >= pullBytesMin {
			room = min(missing, pullBytesMax)
		} else if cap(r.buf.data) == r.want {
			return false // there is just enough memory, and little to copy
		}
	}
	if n := r.buf.fill(&r.shared.buffers, src, room); n > 0 {
		r.recent = int32(n)
		r.fed()
	}
	return true
}

// pulls reports whether a Read into p reads for itself: it has much room, or probably
// enough.
func (r *StreamReader) pulls(p []byte) bool {
	return len(p) >= pullBytesMin || r.recent > 0 && len(p) > int(r.recent)
}

// pull reads what the kernel has into p, unless that is probably nothing.
func (r *StreamReader) pull(p []byte) int {
	if r.pullable == 0 {
		return 0
	}
	if !r.pulls(p) {
		r.stopPulling()
		return 0
	}
	n := r.source.Pull(p)
	r.recent = int32(n)
	if n == len(p) {
		r.recent = int32(min(n, math.MaxInt32/2) * 2) // there is more
	}
	r.pullable -= int32(n)
	if n < len(p) || r.pullable < 0 {
		r.stopPulling()
	}
	return n
}

// stopPulling leaves what the kernel has to the next turn.
func (r *StreamReader) stopPulling() { r.pullable, r.source = 0, nil }

// FeedEOF tells that no more will come: feed_eof.
func (r *StreamReader) FeedEOF() {
	r.eof = true
	if r.net != nil {
		r.net.ended(io.EOF)
	}
	r.waiter.wake(nil)
}

// SetException makes the read that waits, and every later one, return err: set_exception.
func (r *StreamReader) SetException(err error) {
	if err == nil {
		panic(misuse(ErrInvalidArgument, "SetException was given a nil error"))
	}
	r.err = err
	if r.net != nil {
		r.net.ended(err)
	}
	r.waiter.wake(err)
}

// Exception is the error of SetException, or nil: StreamReader.exception.
func (r *StreamReader) Exception() error { return r.err }

// AtEOF reports whether all was read, and no more will come: at_eof.
func (r *StreamReader) AtEOF() bool { return r.eof && r.buf.len() == 0 }

// begin is the start of every read.
func (r *StreamReader) begin(ctx context.Context, method string) (awaiter, error) {
	a, err := r.shared.loop.enterOn(ctx, method)
	if err == nil {
		err = r.refusal(method)
	}
	return a, err
}

// refusal is why nothing can be read; nil: it can.
func (r *StreamReader) refusal(method string) error {
	switch {
	case r.err == nil && r.net != nil:
		return fmt.Errorf("%w: %s of a stream that is a NetConn now; read from that", ErrInvalidState, method)
	case r.err == nil && r.busy:
		return fmt.Errorf("%w: %s called while another task is already waiting for incoming data", ErrConcurrentRead, method)
	}
	return r.err
}

// wait suspends a's task until want bytes are buffered, or the stream has ended, which is
// no error here. It lets a paused transport go on, since what is waited for may be more
// than the limit.
func (r *StreamReader) wait(a awaiter, want int) error {
	r.expect(want)
	err := r.waiter.wait(a)
	r.busy = false
	return err
}

// expect is the beginning of a wait.
func (r *StreamReader) expect(want int) {
	if r.paused {
		r.paused = false
		r.transport.ResumeReading()
	}
	r.want, r.busy = want, true
}

// consume drops n bytes of the buffer.
func (r *StreamReader) consume(n int) {
	r.buf.consume(&r.shared.buffers, n)
	r.resumeIfLow()
}

// take removes n bytes from the buffer and returns them.
func (r *StreamReader) take(n int) []byte {
	b := r.buf.take(&r.shared.buffers, n)
	r.resumeIfLow()
	return b
}

func (r *StreamReader) resumeIfLow() {
	if r.paused && r.buf.len() <= r.limit {
		r.paused = false
		r.transport.ResumeReading()
	}
}

// Read reads what is there into p, and waits only if that is nothing: StreamReader.read.
// The error is io.EOF at the end of the stream. An empty p returns at once.
// Suspends. Cancelled: nothing is consumed.
func (r *StreamReader) Read(ctx context.Context, p []byte) (int, error) {
	// Neither begin nor wait: a task that has to read deep in its stack had better fit 2
	// KiB.
	a, err := r.shared.loop.enterOn(ctx, "Read")
	if err == nil {
		err = r.refusal("Read")
	}
	if err != nil || len(p) == 0 {
		return 0, err
	}
	for r.buf.len() == 0 {
		if n := r.pull(p); n > 0 {
			return n, nil
		}
		if r.eof {
			return 0, io.EOF
		}
		r.direct = p
		r.expect(1)
		err := r.waiter.wait(a)
		r.busy = false
		n := int(r.got)
		r.direct, r.got = nil, 0
		if err != nil {
			r.buf.unread(&r.shared.buffers, p[:n])
			return 0, err
		}
		if n > 0 {
			return n, nil
		}
		if r.err != nil {
			return 0, r.err
		}
	}
	n := copy(p, r.buf.bytes())
	r.consume(n)
	return n, nil
}

// ReadAll reads to the end of the stream: read(-1). The limit does not bound it.
// Suspends. Cancelled: nothing is consumed.
func (r *StreamReader) ReadAll(ctx context.Context) ([]byte, error) {
	a, err := r.begin(ctx, "ReadAll")
	for err == nil && !r.eof {
		err = r.wait(a, math.MaxInt)
	}
	if err != nil {
		return nil, err
	}
	return r.take(r.buf.len()), nil
}

// ReadExactly reads n bytes: readexactly. If the stream ends before, the error is an
// *IncompleteReadError with what there was. The limit does not bound n. It panics with
// ErrInvalidArgument if n is negative.
// Suspends. Cancelled: nothing is consumed.
func (r *StreamReader) ReadExactly(ctx context.Context, n int) ([]byte, error) {
	if n < 0 {
		panic(misuse(ErrInvalidArgument, "ReadExactly was asked for %d bytes", n))
	}
	a, err := r.begin(ctx, "ReadExactly")
	for err == nil && r.buf.len() < n {
		if r.eof {
			return nil, &IncompleteReadError{Partial: r.take(r.buf.len()), Expected: n}
		}
		err = r.wait(a, n)
	}
	if err != nil {
		return nil, err
	}
	return r.take(n), nil
}
