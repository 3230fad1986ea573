//go:build cgo

package uvproactor

import "github.com/seed-a026a017/asyncio/uv"

// Version is the version of libuv.
func Version() string { return uv.VersionString() }
