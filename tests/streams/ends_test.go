package streams_test

// What holds for every connection, over each network, for protocols and for streams.

import (
	"testing"

	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestEnds(t *testing.T) {
	for _, network := range []string{"tcp4", "tcp6", "unix"} {
		t.Run("protocols over "+network, func(t *testing.T) { testkit.CheckEnds(t, testkit.ConnectProtocols(network)) })
		t.Run("streams over "+network, func(t *testing.T) { testkit.CheckEnds(t, testkit.ConnectStreams(network)) })
	}
	t.Run("protocols over a socketpair", func(t *testing.T) { testkit.CheckEnds(t, testkit.ConnectPair) })
}
