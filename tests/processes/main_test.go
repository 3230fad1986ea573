//go:build unix

// Package processes_test has the tests of children: CreateSubprocess and SubprocessExec.
package processes_test

import (
	"testing"

	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
