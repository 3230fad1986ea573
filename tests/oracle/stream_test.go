// Twins of the oracle's programs about a stream that is fed by hand.
package oracle_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

var oracleStreamPrograms = twins{
	"stream_bytes_for_second": oracleStreamBytesForSecond,
	"stream_cancel":           oracleStreamCancel,
	"stream_exception":        oracleStreamException,
	"stream_limit":            oracleStreamLimit,
	"stream_read":             oracleStreamRead,
	"stream_read_pieces":      oracleStreamReadPieces,
	"stream_readexactly":      oracleStreamReadexactly,
	"stream_readuntil":        oracleStreamReaduntil,
	"stream_second_reader":    oracleStreamSecondReader,
	"stream_wake_once":        oracleStreamWakeOnce,
}

// streamLimit is asyncio's default.
const streamLimit = 1 << 16

// readUpTo is asyncio's read(n): at the end of the stream it gives nothing, which is no
// error.
func readUpTo(ctx context.Context, r *asyncio.StreamReader, n int) (string, error) {
	b := make([]byte, n)
	n, err := r.Read(ctx, b)
	if err == io.EOF {
		err = nil
	}
	return string(b[:n]), err
}

// left is what Read finds.
func left(ctx context.Context, r *asyncio.StreamReader) string {
	s, err := readUpTo(ctx, r, 10)
	if err != nil {
		return testkit.ErrName(err)
	}
	return s
}

func oracleStreamRead(ctx context.Context, log logFunc) {
	r := asyncio.NewStreamReader(testkit.LoopOf(ctx), streamLimit)
	r.FeedData([]byte("ready"))
	t := testkit.Start(ctx, func(ctx context.Context) error {
		for {
			data, err := readUpTo(ctx, r, 4)
			log("read %s, at end %s", data, testkit.Flag(r.AtEOF()))
			if data == "" {
				return err
			}
		}
	})
	testkit.Suspend(ctx, 3)
	r.FeedData([]byte("abcdef"))
	log("fed")
	testkit.Suspend(ctx, 3)
	r.FeedData(nil)
	testkit.Suspend(ctx, 2)
	log("reader: %s", testkit.StateOf(t))
	r.FeedData([]byte("end"))
	r.FeedEOF()
	t.Await(ctx)
	again, _ := readUpTo(ctx, r, 4)
	nothing, _ := readUpTo(ctx, r, 0)
	log("again: %s, nothing: %s", again, nothing)
}

func oracleStreamReadPieces(ctx context.Context, log logFunc) {
	r := asyncio.NewStreamReader(testkit.LoopOf(ctx), streamLimit)
	t := testkit.Start(ctx, func(ctx context.Context) error {
		for {
			data, err := readUpTo(ctx, r, 4)
			if data == "" {
				return err
			}
			log("read %s", data)
		}
	})
	testkit.Suspend(ctx, 1)
	r.FeedData([]byte("ab"))
	r.FeedData([]byte("cdef"))
	r.FeedEOF()
	t.Await(ctx)
}

func oracleStreamReadexactly(ctx context.Context, log logFunc) {
	r := asyncio.NewStreamReader(testkit.LoopOf(ctx), streamLimit)
	reader := func(n int) func(context.Context) error {
		return func(ctx context.Context) error {
			b, err := r.ReadExactly(ctx, n)
			var incomplete *asyncio.IncompleteReadError
			if errors.As(err, &incomplete) {
				log("%s of %d", testkit.ErrName(err), incomplete.Expected)
				return nil
			}
			log("read %s", b)
			return err
		}
	}
	t := testkit.Start(ctx, reader(5))
	testkit.Suspend(ctx, 1)
	for _, piece := range []string{"ab", "cd", "ef"} {
		r.FeedData([]byte(piece))
		log("fed, reader: %s", testkit.StateOf(t))
		testkit.Suspend(ctx, 2)
	}
	log("reader: %s", testkit.StateOf(t))
	reader(0)(ctx)
	reader(1)(ctx)
	t = testkit.Start(ctx, reader(3))
	testkit.Suspend(ctx, 1)
	r.FeedData([]byte("x"))
	r.FeedEOF()
	log("end")
	t.Await(ctx)
	reader(2)(ctx)
	reader(0)(ctx)
}

func oracleStreamReaduntil(ctx context.Context, log logFunc) {
	r := asyncio.NewStreamReader(testkit.LoopOf(ctx), streamLimit)
	until := func(separators ...string) func(context.Context) error {
		var seps [][]byte
		for _, s := range separators {
			seps = append(seps, []byte(s))
		}
		return func(ctx context.Context) error {
			b, err := r.ReadUntil(ctx, seps...)
			if err != nil {
				log("until: %s", testkit.ErrName(err))
			} else {
				log("until: %s", b)
			}
			return nil
		}
	}
	t := testkit.Start(ctx, until("END"))
	testkit.Suspend(ctx, 1)
	for _, piece := range []string{"oneE", "N", "Dtwo"} {
		r.FeedData([]byte(piece))
		testkit.Suspend(ctx, 2)
		log("task: %s", testkit.StateOf(t))
	}
	r.FeedData([]byte("|three;four|"))
	until("|", ";")(ctx)
	until("|", ";")(ctx)
	until("four", "ou")(ctx)
	r.FeedData([]byte("-line"))
	line := asyncio.CreateTask(ctx, r.ReadLine)
	testkit.Suspend(ctx, 2)
	r.FeedEOF()
	b, _ := line.Await(ctx)
	log("line: %s", b)
	b, _ = r.ReadLine(ctx)
	log("line: %s.", b)
	until("END")(ctx)
}

func oracleStreamLimit(ctx context.Context, log logFunc) {
	until := func(r *asyncio.StreamReader) func(context.Context) error {
		return func(ctx context.Context) error {
			b, err := r.ReadUntil(ctx, []byte(";"))
			if err != nil {
				log("until: %s", testkit.ErrName(err))
			} else {
				log("until: %s", b)
			}
			return nil
		}
	}
	line := func(r *asyncio.StreamReader) {
		b, err := r.ReadLine(ctx)
		var over *asyncio.LimitOverrunError
		if errors.As(err, &over) {
			log("line: too long")
		} else {
			log("line: %s", strings.TrimSpace(string(b)))
		}
	}
	r := asyncio.NewStreamReader(testkit.LoopOf(ctx), 4)
	r.FeedData([]byte("12345;6;"))
	until(r)(ctx)
	b, _ := r.ReadExactly(ctx, 5)
	log("took %s", b)
	until(r)(ctx)
	until(r)(ctx)
	t := testkit.Start(ctx, until(r))
	testkit.Suspend(ctx, 1)
	r.FeedData([]byte("abcd"))
	testkit.Suspend(ctx, 2)
	log("task: %s", testkit.StateOf(t))
	r.FeedData([]byte("e"))
	t.Await(ctx)
	r.FeedData([]byte("\n"))
	line(r)
	r.FeedData([]byte("ok\nlong line without end"))
	line(r)
	line(r)
	r.FeedData([]byte("ok\n"))
	line(r)
	r.FeedData([]byte("1234"))
	r.FeedEOF()
	until(r)(ctx)
}

func oracleStreamCancel(ctx context.Context, log logFunc) {
	r := asyncio.NewStreamReader(testkit.LoopOf(ctx), streamLimit)
	read := map[string]func(context.Context) (string, error){
		"read": func(ctx context.Context) (string, error) { return readUpTo(ctx, r, 10) },
		"exactly": func(ctx context.Context) (string, error) {
			b, err := r.ReadExactly(ctx, 3)
			return string(b), err
		},
		"until": func(ctx context.Context) (string, error) {
			b, err := r.ReadUntil(ctx, []byte(";"))
			return string(b), err
		},
	}
	for _, who := range []string{"read", "exactly", "until"} {
		reader := func(ctx context.Context) error {
			s, err := read[who](ctx)
			if err != nil {
				log("%s got %s", who, testkit.ErrName(err))
			} else {
				log("%s read %s", who, s)
			}
			return err
		}
		t := testkit.Start(ctx, reader)
		testkit.Suspend(ctx, 1)
		t.Cancel("waits")
		r.FeedData([]byte("ab;"))
		testkit.Suspend(ctx, 2)
		log("%s, left %s", testkit.StateOf(t), left(ctx, r))
		t = testkit.Start(ctx, reader)
		testkit.Suspend(ctx, 1)
		r.FeedData([]byte("cd;"))
		t.Cancel("woken")
		testkit.Suspend(ctx, 2)
		log("%s, left %s", testkit.StateOf(t), left(ctx, r))
	}
}

func oracleStreamException(ctx context.Context, log logFunc) {
	r := asyncio.NewStreamReader(testkit.LoopOf(ctx), streamLimit)
	said := func(v any, err error) {
		if err != nil {
			log("error %s", testkit.ErrName(err))
		} else {
			log("read %s", v)
		}
	}
	t := testkit.Start(ctx, func(ctx context.Context) error {
		said(r.ReadLine(ctx))
		return nil
	})
	testkit.Suspend(ctx, 1)
	r.FeedData([]byte("bytes"))
	testkit.Suspend(ctx, 2)
	r.SetException(fmt.Errorf("broken"))
	log("set: %s, task: %s", testkit.ErrName(r.Exception()), testkit.StateOf(t))
	t.Await(ctx)
	said(readUpTo(ctx, r, 10))
	said(r.ReadExactly(ctx, 2))
	said(r.ReadUntil(ctx, []byte(";")))
	r.FeedEOF()
	said(readUpTo(ctx, r, 10))
}

// exactly reads n bytes and says how that went.
func exactly(log logFunc, r *asyncio.StreamReader, who string, n int) func(context.Context) error {
	return func(ctx context.Context) error {
		b, err := r.ReadExactly(ctx, n)
		if errors.Is(err, asyncio.ErrConcurrentRead) {
			log("%s refused", who)
			return nil
		}
		log("%s read %s", who, b)
		return err
	}
}

func oracleStreamSecondReader(ctx context.Context, log logFunc) {
	r := asyncio.NewStreamReader(testkit.LoopOf(ctx), streamLimit)
	a := testkit.Start(ctx, exactly(log, r, "a", 4))
	testkit.Suspend(ctx, 1)
	exactly(log, r, "b", 4)(ctx)
	r.FeedData([]byte("1234"))
	a.Await(ctx)
	exactly(log, r, "c", 0)(ctx)
}

func oracleStreamBytesForSecond(ctx context.Context, log logFunc) {
	r := asyncio.NewStreamReader(testkit.LoopOf(ctx), streamLimit)
	a := testkit.Start(ctx, exactly(log, r, "a", 4))
	testkit.Suspend(ctx, 1)
	r.FeedData([]byte("12"))
	testkit.Suspend(ctx, 2)
	exactly(log, r, "b", 2)(ctx)
	r.FeedData([]byte("3456"))
	a.Await(ctx)
}

func oracleStreamWakeOnce(ctx context.Context, log logFunc) {
	r := asyncio.NewStreamReader(testkit.LoopOf(ctx), streamLimit)
	t := testkit.Start(ctx, func(ctx context.Context) error {
		b, err := r.ReadExactly(ctx, 4)
		log("read %s", b)
		return err
	})
	testkit.Suspend(ctx, 1)
	testkit.LoopOf(ctx).CallSoon(func() { r.FeedData([]byte("cd")) })
	r.FeedData([]byte("ab"))
	log("fed")
	t.Await(ctx)
}
