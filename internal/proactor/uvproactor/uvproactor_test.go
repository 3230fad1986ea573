//go:build cgo

package uvproactor

import (
	"os"
	"testing"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/internal/proactor/proactortest"
)

func parked() (proactor.Proactor, error) { return New(false) }
func locked() (proactor.Proactor, error) { return New(true) }

func TestMain(m *testing.M) { os.Exit(proactortest.Main(m, parked)) }

func TestConformance(t *testing.T) { proactortest.Run(t, parked) }

func TestConformanceLockedThread(t *testing.T) { proactortest.Run(t, locked) }

func BenchmarkConnect(b *testing.B) { proactortest.BenchmarkConnect(b, parked) }
