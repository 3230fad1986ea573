package asynchttp

import (
	"testing"

	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
