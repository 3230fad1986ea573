// Random ways to feed and read a StreamReader, and what CPython's reads return:
// testdata/reader/generate.py makes both, and describes the steps.
package oracle_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// readerCases is how many of them cases.json keeps. generate.py makes any number of
// others, and the environment variable ASYNCIO_ORACLE_READERS names a file of those.
const readerCases = 500

type readerCase struct {
	Limit int
	Steps []statement
	Trace []string
}

func TestOracleReader(t *testing.T) {
	name := os.Getenv("ASYNCIO_ORACLE_READERS")
	others := name != ""
	if !others {
		name = filepath.Join(oracleDir, "reader", "cases.json")
	}
	file, err := os.ReadFile(name)
	require.NoError(t, err)
	var cases []readerCase
	require.NoError(t, json.Unmarshal(file, &cases))
	if !others {
		require.Len(t, cases, readerCases)
	}
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
			for i, c := range cases {
				require.Equal(t, c.Trace, runReader(t, ctx, c), "case %d: limit %d, %v", i, c.Limit, c.Steps)
			}
		})
	})
}

// runReader is the twin of run in generate.py.
func runReader(t *testing.T, ctx context.Context, c readerCase) []string {
	r := asyncio.NewStreamReader(testkit.LoopOf(ctx), c.Limit)
	lines, ended := []string{}, false
	for _, s := range c.Steps {
		kind := s[0].(string)
		switch kind {
		case "feed":
			r.FeedData([]byte(s[1].(string)))
		case "eof":
			r.FeedEOF()
			ended = true
		case "fail":
			r.SetException(errors.New("boom"))
		default:
			task := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) { return readerRead(ctx, r, kind, s[1]) })
			asynciotest.Yield(t, ctx, 2)
			for _, piece := range s[2].([]any) {
				if !task.Done() && !ended {
					r.FeedData([]byte(piece.(string)))
					asynciotest.Yield(t, ctx, 2)
				}
			}
			task.Cancel()
			got, err := task.Await(ctx)
			var overrun *asyncio.LimitOverrunError
			switch {
			case kind == "line" && errors.As(err, &overrun):
				got = "over the limit"
			case err != nil:
				got = testkit.ErrName(err)
			}
			lines = append(lines, fmt.Sprintf("%s %s, at end %s", kind, got, testkit.Flag(r.AtEOF())))
		}
	}
	return lines
}

// readerRead is one read. At the end of the stream asyncio's give nothing, which is no
// error.
func readerRead(ctx context.Context, r *asyncio.StreamReader, kind string, argument any) (string, error) {
	var got []byte
	var err error
	switch kind {
	case "read":
		return readUpTo(ctx, r, int(argument.(float64)))
	case "exactly":
		got, err = r.ReadExactly(ctx, int(argument.(float64)))
	case "until":
		var seps [][]byte
		for _, s := range argument.([]any) {
			seps = append(seps, []byte(s.(string)))
		}
		got, err = r.ReadUntil(ctx, seps...)
	case "line":
		if got, err = r.ReadLine(ctx); err == io.EOF {
			err = nil
		}
	case "all":
		got, err = r.ReadAll(ctx)
	}
	return string(got), err
}
