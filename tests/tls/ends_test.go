package tls_test

// What holds for every connection holds over TLS, but for what needs the end of one
// direction.

import (
	"testing"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// notOverTLS are the promises that need one direction to end before the other, or a
// connection that outlives the peer's Close.
var notOverTLS = []string{"half-close", "the end of one direction, then write", "the peer's Close wakes who reads", "much both ways", "write after the end"}

func TestEnds(t *testing.T) {
	for _, network := range []string{"tcp4", "unix"} {
		t.Run("streams over "+network, func(t *testing.T) {
			testkit.CheckEnds(t, testkit.ConnectStreams(network, bothEnds()), notOverTLS...)
		})
		t.Run("protocols over "+network, func(t *testing.T) {
			testkit.CheckEnds(t, testkit.ConnectProtocols(network, bothEnds()), notOverTLS...)
		})
	}
}

// bothEnds is options for both ends of connections.
func bothEnds() testkit.EndOptions {
	client := testkit.Certs().ClientConfig()
	client.ServerName = "localhost"
	return testkit.EndOptions{
		Client: asyncio.WithTLS(client),
		Server: asyncio.WithTLS(testkit.Certs().ServerConfig()),
	}
}
