// Package netconn_test tests net.Conns and net.Listeners on a loop: in tasks, in
// goroutines, and mixed.
package netconn_test

import (
	"testing"

	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
