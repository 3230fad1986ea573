package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadWrk(t *testing.T) {
	const out = `Running 2s test @ http://127.0.0.1:1/
  1 threads and 10 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   199.05us  310.12us   9.71ms   95.11%
    Req/Sec    58.96k     5.01k   66.42k    85.00%
  Latency Distribution
     50%  141.00us
     75%  190.00us
     90%  302.00us
     99%    1.31ms
  117336 requests in 2.00s, 14.44MB read
`
	s, err := readWrk([]byte(out + "Requests/sec:  58660.44\n"))
	require.NoError(t, err)
	require.Equal(t, sample{Requests: 117336, Seconds: 2, Rate: 58668, P50: 141, P99: 1310}, s)

	_, err = readWrk([]byte(out + "  Non-2xx or 3xx responses: 4\n"))
	require.ErrorIs(t, err, errAnswers)
	_, err = readWrk([]byte(out + "  Socket errors: connect 0, read 3, write 0, timeout 0\n"))
	require.ErrorIs(t, err, errAnswers)
	_, err = readWrk([]byte("  0 requests in 2.00s, 0.00B read\n"))
	require.ErrorIs(t, err, errNoRequests)
}
