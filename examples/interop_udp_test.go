//go:build unix

package examples_test

// The name server with a client that knows nothing of this library.

import (
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDigAsksTheNameServer(t *testing.T) {
	dig, err := exec.LookPath("dig")
	if err != nil {
		t.Skipf("dig is not installed: %v", err)
	}
	for _, d := range drivers {
		t.Run(string(d), func(t *testing.T) {
			s := serve(t, d, "udp")
			_, port, err := net.SplitHostPort(s.address)
			require.NoError(t, err)
			ask := func(args ...string) string {
				args = append([]string{"-r", "@127.0.0.1", "-p", port, "+time=10", "+tries=6"}, args...)
				out, err := exec.CommandContext(t.Context(), dig, args...).CombinedOutput()
				require.NoError(t, err, "%s", out)
				return strings.TrimSpace(string(out))
			}
			assert.Equal(t, "192.0.2.7", ask("+short", "printer.home", "A"))
			assert.Equal(t, "2001:db8::10", ask("+short", "nas.home", "AAAA"))
			assert.Equal(t, "192.0.2.10", ask("+short", "NAS.home", "A"), "letters of either case")
			assert.Empty(t, ask("+short", "printer.home", "MX"))
			assert.Contains(t, ask("scanner.home"), "status: NXDOMAIN")
			full := ask("printer.home")
			assert.Contains(t, full, "status: NOERROR")
			assert.Contains(t, full, "flags: qr aa rd;")
			assert.NotContains(t, full, "Warning: Message parser reports malformed")
			garbage, err := net.Dial("udp", s.address)
			require.NoError(t, err)
			for _, text := range []string{"", "x", strings.Repeat("\xff", 100), strings.Repeat("\x00", 12), "\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x3f"} {
				_, err := garbage.Write([]byte(text))
				require.NoError(t, err)
			}
			require.NoError(t, garbage.Close())
			assert.Equal(t, "192.0.2.7", ask("+short", "printer.home", "A"), "after garbage")
			s.stop(t)
		})
	}
}
