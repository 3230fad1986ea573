//go:build cgo

package uv

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// There is one TCP for every connection: it fills a size class of the allocator and goes
// no further.
func TestSizes(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) == 8 {
		require.LessOrEqual(t, unsafe.Sizeof(TCP{}), uintptr(96))
	}
}
