package goproactor

import (
	"os"
	"testing"

	"github.com/seed-a026a017/asyncio/internal/proactor/proactortest"
)

func TestMain(m *testing.M) { os.Exit(proactortest.Main(m, New)) }

func TestConformance(t *testing.T) { proactortest.Run(t, New) }

func BenchmarkConnect(b *testing.B) { proactortest.BenchmarkConnect(b, New) }
