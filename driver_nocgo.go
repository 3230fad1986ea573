//go:build !cgo

package asyncio

import (
	"errors"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

const builtinDriver = PureGo

func newLibuv(bool) (proactor.Proactor, error) {
	return nil, errors.New("asyncio: the libuv driver needs cgo: build with CGO_ENABLED=1, or use PureGo")
}

// LibuvVersion is the version of the libuv that is linked in, or "" without cgo.
func LibuvVersion() string { return "" }
