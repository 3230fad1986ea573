//go:build cgo

package asyncio

import (
	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/internal/proactor/uvproactor"
)

const builtinDriver = Libuv

func newLibuv(lockedThread bool) (proactor.Proactor, error) { return uvproactor.New(lockedThread) }

// LibuvVersion is the version of the libuv that is linked in, or "" without cgo.
func LibuvVersion() string { return uvproactor.Version() }
