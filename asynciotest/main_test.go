package asynciotest_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/asynciotest"
)

// leakyRun is set in a process of this test binary that runs tests which leak.
const leakyRun = "ASYNCIOTEST_LEAK"

// leakyTests are what runs in there instead of the tests.
type leakyTests string

func (leak leakyTests) Run() int {
	switch leak {
	case "goroutine":
		go lingers(make(chan struct{}))
	case "descriptor":
		dup, err := os.Open(os.DevNull)
		kept = dup
		if err != nil {
			return 3
		}
	case "failure":
		return 2
	}
	return 0
}

var kept *os.File // else the collector closes it

func init() {
	if leak := os.Getenv(leakyRun); leak != "" {
		asynciotest.SettleSoon()
		asynciotest.VerifyTestMain(leakyTests(leak))
	}
}

func TestVerifyTestMain(t *testing.T) {
	for leak, want := range map[string]struct {
		code int
		says string
	}{
		"nothing":    {0, ""},
		"failure":    {2, ""},
		"goroutine":  {1, "the tests have left 1 goroutines"},
		"descriptor": {1, "the tests have left 1 descriptors"},
	} {
		t.Run(leak, func(t *testing.T) {
			if _, err := os.Stat("/proc/self/fd"); err != nil && leak == "descriptor" {
				t.Skip("this system does not show descriptors in /proc")
			}
			tests := exec.Command(os.Args[0])
			tests.Env = append(os.Environ(), leakyRun+"="+leak)
			said, err := tests.CombinedOutput()
			if want.code == 0 {
				require.NoError(t, err)
			}
			require.Equal(t, want.code, tests.ProcessState.ExitCode(), "%s", said)
			require.Contains(t, string(said), want.says)
		})
	}
}
