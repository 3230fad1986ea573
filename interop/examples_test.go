package interop_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/asynciotest"
)

// example runs a program of examples/ on each driver, and requires what it prints.
func example(t *testing.T, name, want string, args ...string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	out, err := exec.Command("go", "build", "-ldflags=-w", "-o", program, "./examples/"+name).CombinedOutput()
	require.NoError(t, err, string(out))
	for _, driver := range asynciotest.Drivers() {
		t.Run(driver.String(), func(t *testing.T) {
			cmd := exec.Command(program, args...)
			cmd.Env = append(os.Environ(), "ASYNCIO_DRIVER="+driver.String())
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			require.Equal(t, want, string(out))
		})
	}
}

func TestExampleWebsocketChat(t *testing.T) {
	example(t, "websocket_chat", `ann hears "* ann has come"
bob hears "* bob has come"
bob hears "ann: hello, bob"
the other ann: StatusPolicyViolation
ann hears "* bob has come"
ann hears "ann: hello, bob"
ann hears "* bob has left"
`)
}

func TestExamplePostgres(t *testing.T) {
	dir := startPostgres(t)
	example(t, "postgres", `100 tasks over 8 connections: the squares sum up to 328350
a query that takes too long is given up: true
all connections work
`, "-server", "host="+dir+" user=test dbname=postgres sslmode=disable")
}
