// Package faults_test makes the system refuse one call after another while a program uses
// the library. A fault may come out of a call as an error. It may not crash the process,
// hang it, leave anything behind, or spoil what comes after it.
package faults_test

import (
	"testing"

	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
