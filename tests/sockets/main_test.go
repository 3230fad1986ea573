// Package sockets_test has the tests of descriptors that the program owns: AddReader and
// its kin, and the Sock calls.
package sockets_test

import (
	"testing"

	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
