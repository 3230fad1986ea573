package report

import (
	"bytes"
	"testing"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
	"github.com/stretchr/testify/require"
)

// scale multiplies what a contender needed in a work.
func scale(t *testing.T, r *result.Report, w result.Work, name string, factors ...float64) {
	t.Helper()
	for i := range r.Rows {
		row := &r.Rows[i]
		res, ok := row.Result(name)
		if row.Work != w || !ok {
			continue
		}
		for j, s := range res.Samples {
			for m := range s.Values {
				s.Values[m] *= factors[j%len(factors)]
			}
		}
		row.Summarise()
		return
	}
	require.Fail(t, "no such row", "%v, %s", w, name)
}

func compared(saved, now *result.Report) (text string, worse int) {
	var out bytes.Buffer
	worse = Compare(&out, saved, now)
	return out.String(), worse
}

func TestCompare(t *testing.T) {
	echo := result.Work{Kind: result.Echo, Bytes: 1 << 10, Connections: 10}
	idle := result.Work{Kind: result.Idle, Connections: 5000}
	clock := result.Work{Kind: result.Cost, Name: "Clock"}

	t.Run("unchanged", func(t *testing.T) {
		text, worse := compared(written(), written())
		require.Zero(t, worse)
		require.Contains(t, text, "Compared with abc1234 of 2026-01-02 03:04")
		require.Contains(t, text, " 0 worse, 0 better")
		require.Contains(t, text, "verdict: unchanged\n")
	})
	t.Run("worse and better", func(t *testing.T) {
		now := written()
		scale(t, now, echo, result.Streams, 1.5)
		scale(t, now, idle, result.Protocol, 2)
		scale(t, now, clock, result.Asyncio, 0.5)
		text, worse := compared(written(), now)
		require.Equal(t, 2, worse)
		require.Regexp(t, `(?s)worse\n.*5000 idle connections +asyncio-protocol +1\.15 -> 2\.30 to libuv-c +\+100 %.*`+
			`echo 1 KiB, 10 connections +asyncio-streams .*\+50 %.*better\n.*Clock +asyncio +225 -> 112 ns +-50 %`, text)
		require.Contains(t, text, "verdict: worse and better\n")
	})
	t.Run("within the spread", func(t *testing.T) {
		now := written()
		scale(t, now, echo, result.Streams, 1, 1.2, 1.6)
		_, worse := compared(written(), now)
		require.Zero(t, worse)
	})
	t.Run("others do not count", func(t *testing.T) {
		now := written()
		scale(t, now, echo, result.NodeNet, 3)
		text, _ := compared(written(), now)
		require.Contains(t, text, "verdict: unchanged\n")
	})
	t.Run("another processor", func(t *testing.T) {
		now := written()
		now.CPU = "Another processor"
		scale(t, now, clock, result.Asyncio, 5)
		scale(t, now, echo, result.Protocol, 0.5)
		text, worse := compared(written(), now)
		require.Zero(t, worse)
		require.Contains(t, text, "verdict: better\n")
	})
	t.Run("nothing in common", func(t *testing.T) {
		text, _ := compared(written(), &result.Report{})
		require.Regexp(t, `^\nCompared with .*\n0 figures compared: .*; \d+ of the saved run were not measured now\nverdict: nothing to compare\n$`, text)
	})
}
