//go:build cgo

package uv

import (
	"errors"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestZones(t *testing.T) {
	all, err := net.Interfaces()
	require.NoError(t, err)
	for _, ifi := range all {
		for range 2 {
			n, err := scopeID(ifi.Name)
			require.NoError(t, err)
			require.Equal(t, uint32(ifi.Index), n)
			require.Equal(t, ifi.Name, zoneName(n))
		}
	}
	n, err := scopeID("77")
	require.NoError(t, err)
	require.Equal(t, uint32(77), n)
	require.Equal(t, "123456", zoneName(123456), "no such interface")
	t.Run("asked once", func(t *testing.T) {
		var table zoneTable[string, int]
		asked, known := 0, false
		ask := func(string) (int, error) {
			if asked++; !known {
				return 0, errors.New("unknown")
			}
			return 7, nil
		}
		for range 2 {
			_, err := table.find("x", ask)
			require.Error(t, err)
		}
		known = true
		for range 3 {
			n, err := table.find("x", ask)
			require.NoError(t, err)
			require.Equal(t, 7, n)
		}
		require.Equal(t, 3, asked)
		a := table.known["x"]
		a.until = a.until.Add(-2 * zoneAgeMax)
		table.known["x"] = a
		table.find("x", ask)
		require.Equal(t, 4, asked, "an answer that is old")
	})
}
