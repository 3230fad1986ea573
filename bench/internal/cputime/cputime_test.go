package cputime_test

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/bench/internal/cputime"
)

func TestOf(t *testing.T) {
	before, err := cputime.Of(os.Getpid())
	require.NoError(t, err)
	var usage syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	after, err := cputime.Of(os.Getpid())
	require.NoError(t, err)
	require.Greater(t, after, before)
	const tick = 10e6 // getrusage's clock may be a coarse one
	require.InDelta(t, usage.Utime.Nano()+usage.Stime.Nano(), after.Nanoseconds(), 5*tick)

	_, err = cputime.Of(1 << 22) // greater than any process's number
	require.ErrorIs(t, err, syscall.EINVAL)
}
