package asyncio_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestDriverNames(t *testing.T) {
	require.Equal(t, "libuv", asyncio.Libuv.String())
	require.Equal(t, "purego", asyncio.PureGo.String())
	require.Equal(t, "Driver(7)", asyncio.Driver(7).String())
	_, err := asyncio.NewEventLoop(asyncio.WithDriver(asyncio.Driver(7)))
	testkit.ErrorSays(t, err, "there is no driver 7")
}
