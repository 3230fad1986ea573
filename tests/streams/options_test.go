package streams_test

// Which call takes which option: what it cannot honour does not compile.

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
)

// Each option has the type that its documentation names.
var (
	_ = []asyncio.StreamOption{asyncio.WithLimit(1), asyncio.WithKeepAlive(true), asyncio.WithIdleTimeout(time.Second), asyncio.WithWriteBufferLimits(-1, -1)}
	_ = []asyncio.ConnectOption{asyncio.WithLocalAddr("127.0.0.1:0"), asyncio.WithHappyEyeballs(0, 0)}
	_ = []asyncio.ServerOption{
		asyncio.WithBacklog(1), asyncio.WithReuseAddr(true), asyncio.WithStartServing(true),
		asyncio.WithMaxConnections(1), asyncio.WithCleanupSocket(true),
	}
	_ = []asyncio.BindOption{asyncio.WithReusePort()}
)

func TestOptionsAreTakenWhereTheyMeanSomething(t *testing.T) {
	for name, c := range map[string]struct {
		option                   any
		connect, serve, datagram bool
	}{
		"WithLimit":             {option: asyncio.WithLimit(1), connect: true, serve: true},
		"WithKeepAlive":         {option: asyncio.WithKeepAlive(true), connect: true, serve: true},
		"WithIdleTimeout":       {option: asyncio.WithIdleTimeout(1), connect: true, serve: true},
		"WithWriteBufferLimits": {option: asyncio.WithWriteBufferLimits(1, 1), connect: true, serve: true},
		"WithLocalAddr":         {option: asyncio.WithLocalAddr(""), connect: true},
		"WithHappyEyeballs":     {option: asyncio.WithHappyEyeballs(0, 0), connect: true},
		"WithBacklog":           {option: asyncio.WithBacklog(1), serve: true},
		"WithReuseAddr":         {option: asyncio.WithReuseAddr(true), serve: true},
		"WithStartServing":      {option: asyncio.WithStartServing(true), serve: true},
		"WithMaxConnections":    {option: asyncio.WithMaxConnections(1), serve: true},
		"WithCleanupSocket":     {option: asyncio.WithCleanupSocket(true), serve: true},
		"WithReusePort":         {option: asyncio.WithReusePort(), serve: true, datagram: true},
	} {
		_, connect := c.option.(asyncio.ConnectOption)
		_, serve := c.option.(asyncio.ServerOption)
		_, datagram := c.option.(asyncio.DatagramOption)
		require.Equal(t, []bool{c.connect, c.serve, c.datagram}, []bool{connect, serve, datagram}, name)
	}
}
