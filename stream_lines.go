package asyncio

// Lines and records: reading a stream up to a separator. All that is looked at stays
// buffered until the separator is there, so the limit of the reader bounds how long a
// record may be.

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
)

var newlines = [][]byte{{'\n'}}

// ReadUntil reads up to and with the first of the separators, which is a newline if none
// is given: readuntil. Of several matches the one that ends first counts, and of those
// the shortest. If more than the limit comes before it, the error is a
// *LimitOverrunError and all stays in the buffer; if the stream ends first, it is an
// *IncompleteReadError with what there was. An empty separator panics with
// ErrInvalidArgument.
// Suspends. Cancelled: nothing is consumed.
func (r *StreamReader) ReadUntil(ctx context.Context, seps ...[]byte) ([]byte, error) {
	for _, sep := range seps {
		if len(sep) == 0 {
			panic(misuse(ErrInvalidArgument, "ReadUntil was given an empty separator"))
		}
	}
	a, err := r.begin(ctx, "ReadUntil")
	if err != nil {
		return nil, err
	}
	if len(seps) == 0 {
		seps = newlines
	}
	n, err := r.until(a, seps)
	if err != nil {
		return nil, err
	}
	return r.take(n), nil
}

// until waits for a separator and returns how many bytes are in the buffer up to its end.
// It looks at every byte once for each separator, and at the last few again when more
// have come.
func (r *StreamReader) until(a awaiter, seps [][]byte) (int, error) {
	longest := 0
	for _, sep := range seps {
		longest = max(longest, len(sep))
	}
	searched := 0 // no separator begins before this
	for {
		if start, end := firstMatch(r.buf.bytes(), searched, seps); end > 0 {
			if start > r.limit {
				return 0, &LimitOverrunError{Consumed: start, found: true}
			}
			return end, nil
		}
		searched = max(searched, r.buf.len()+1-longest)
		if searched > r.limit {
			return 0, &LimitOverrunError{Consumed: searched}
		}
		if r.eof {
			return 0, &IncompleteReadError{Partial: r.take(r.buf.len()), Expected: -1}
		}
		if err := r.wait(a, r.buf.len()+1); err != nil {
			return 0, err
		}
	}
}

// firstMatch is the match, from b[from:] on, that ends first, and of those the shortest;
// end is 0 if there is none.
func firstMatch(b []byte, from int, seps [][]byte) (start, end int) {
	for _, sep := range seps {
		i := bytes.Index(b[from:], sep)
		if i < 0 {
			continue
		}
		s, e := from+i, from+i+len(sep)
		if end == 0 || e < end || e == end && s > start {
			start, end = s, e
		}
	}
	return start, end
}

// ReadLine reads a line with its newline: readline. The last line may lack it; after that
// the error is io.EOF. A line over the limit is dropped, through its newline if that has
// come, else all that is buffered; the error then wraps a *LimitOverrunError.
// Suspends. Cancelled: nothing is consumed.
func (r *StreamReader) ReadLine(ctx context.Context) ([]byte, error) {
	a, err := r.begin(ctx, "ReadLine")
	if err != nil {
		return nil, err
	}
	n, err := r.until(a, newlines)
	if err != nil {
		return r.lastLine(err)
	}
	return r.take(n), nil
}

// lastLine is what ReadLine returns when there is no line within the limit.
func (r *StreamReader) lastLine(err error) ([]byte, error) {
	switch e := err.(type) {
	case *IncompleteReadError:
		if len(e.Partial) == 0 {
			return nil, io.EOF
		}
		return e.Partial, nil
	case *LimitOverrunError:
		drop := r.buf.len()
		if e.found {
			drop = e.Consumed + 1
		}
		r.consume(drop)
		return nil, fmt.Errorf("asyncio: ReadLine has dropped a line over the limit of %d bytes; WithLimit sets it: %w", r.limit, e)
	}
	return nil, err
}

// Lines reads line by line, each with its newline: async for. It ends at the end of the
// stream, or after an error, which comes with a nil line.
// Suspends at every step. Cancelled: no line is lost.
func (r *StreamReader) Lines(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for {
			line, err := r.ReadLine(ctx)
			if err == io.EOF || !yield(line, err) || err != nil {
				return
			}
		}
	}
}
