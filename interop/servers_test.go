package interop_test

import (
	"bufio"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// tool is the path of a command, or skips the test.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("there is no %s here", name)
	}
	return path
}

// startPostgres starts a server of Debian's that listens on a Unix socket, and returns
// the directory of that. postgres refuses to be root: then it is the user postgres.
func startPostgres(t *testing.T) (socketDir string) {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		t.Skip("there is no PostgreSQL here")
	}
	bin := filepath.Dir(slices.Max(found))
	dir, err := os.MkdirTemp("", "interop")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	as := &syscall.SysProcAttr{}
	if os.Geteuid() == 0 {
		as.Credential = userCredential(t, "postgres")
		require.NoError(t, os.Chown(dir, int(as.Credential.Uid), int(as.Credential.Gid)))
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "--no-sync", "--auth=trust", "--username=test", "-D", data)
	initdb.SysProcAttr, initdb.Dir = as, dir
	out, err := initdb.CombinedOutput()
	require.NoError(t, err, string(out))
	server := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-F",
		"-c", "listen_addresses=", "-c", "max_connections=50", "-c", "logging_collector=off")
	server.SysProcAttr, server.Dir = as, dir
	start(t, server, "ready to accept connections", syscall.SIGINT)
	return dir
}

func userCredential(t *testing.T, name string) *syscall.Credential {
	u, err := user.Lookup(name)
	require.NoError(t, err)
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	require.NoError(t, err)
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	require.NoError(t, err)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// startRedis starts a server of Debian's and returns the path of its Unix socket.
func startRedis(t *testing.T) (socket string) {
	t.Helper()
	dir := t.TempDir()
	socket = filepath.Join(dir, "redis")
	server := exec.Command(tool(t, "redis-server"), "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", dir)
	start(t, server, "eady to accept connections", syscall.SIGTERM)
	return socket
}

// start starts a server, waits until it says that it is ready, and ends it with the test.
func start(t *testing.T, server *exec.Cmd, ready string, end syscall.Signal) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	server.Stdout, server.Stderr = w, w
	if server.SysProcAttr == nil {
		server.SysProcAttr = &syscall.SysProcAttr{}
	}
	server.SysProcAttr.Pdeathsig = syscall.SIGKILL // if the test crashes
	begun := make(chan error)
	ended := make(chan error, 1)
	go func() { // on a thread that lives as long as the server, which dies with its thread
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		begun <- server.Start()
		if server.Process != nil {
			ended <- server.Wait()
		}
	}()
	require.NoError(t, <-begun)
	require.NoError(t, w.Close())
	t.Cleanup(func() {
		require.NoError(t, server.Process.Signal(end))
		<-ended
		require.NoError(t, r.Close())
	})
	said := make(chan string)
	go func() {
		defer close(said)
		var all strings.Builder
		for lines := bufio.NewScanner(r); lines.Scan(); {
			all.WriteString(lines.Text() + "\n")
			if strings.Contains(lines.Text(), ready) {
				said <- ""
				all.Reset()
			}
		}
		select {
		case said <- all.String():
		default:
		}
	}()
	text, going := <-said
	require.True(t, going, "the server has ended: %s", text)
}
