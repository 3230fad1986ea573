package asynchttp_test

// Other programs as peers: curl, wrk, h2load, CPython's http.client and asyncio.

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynchttp"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// program runs one of the system's beside the loop, and is what it prints. A test whose
// program is missing is skipped.
func program(t *testing.T, ctx context.Context, name string, args ...string) string {
	t.Helper()
	out, err := asyncio.ToThread(ctx, func(ctx context.Context) (string, error) {
		b, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, b)
		}
		return string(b), err
	})
	require.NoError(t, err, "%s %q", name, args)
	return out
}

func needs(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("there is no %s", name)
	}
}

// mirror answers with the length of the body, or with as many bytes as the query says.
func mirror(w http.ResponseWriter, r *http.Request) {
	if n := len(r.URL.RawQuery); n > 0 {
		size := 0
		_, _ = fmt.Sscan(r.URL.RawQuery, &size)
		_, _ = io.WriteString(w, strings.Repeat("x", size))
		return
	}
	n, err := io.Copy(io.Discard, r.Body)
	fmt.Fprintf(w, "%s %d %v", r.Method, n, err)
}

func TestCurl(t *testing.T) {
	needs(t, "curl")
	upload := filepath.Join(t.TempDir(), "upload")
	require.NoError(t, os.WriteFile(upload, make([]byte, 1<<20), 0o600))
	check := func(t *testing.T, ctx context.Context, target string, opts ...string) {
		curl := func(args ...string) string {
			return program(t, ctx, "curl", append(append([]string{"-sS", "--max-time", "30"}, opts...), args...)...)
		}
		assert.Equal(t, "GET 0 <nil>", curl(target))
		assert.Equal(t, "POST 5 <nil>", curl("-d", "hello", target))
		assert.Equal(t, "PUT 1048576 <nil>", curl("-T", upload, target), "it expects 100-continue")
		assert.Equal(t, "POST 1048576 <nil>", curl("-H", "Transfer-Encoding: chunked", "--data-binary", "@"+upload, target))
		assert.Len(t, curl(target+"/?3000000"), 3000000)
		assert.Equal(t, "GET 0 <nil>GET 0 <nil>", curl(target, target+"/again"))
		assert.Contains(t, curl("-I", target), "200 OK")
		assert.Equal(t, "GET 0 <nil>", curl("--http1.0", target))
	}
	t.Run("HTTP", func(t *testing.T) {
		with(t, mirror, func(t *testing.T, ctx context.Context, s *site) { check(t, ctx, "http://"+s.addr) })
	})
	t.Run("HTTPS", func(t *testing.T) {
		with(t, mirror, func(t *testing.T, ctx context.Context, s *site) { check(t, ctx, "https://"+s.addr, "-k") },
			func(s *asynchttp.Server) { s.TLSConfig = testkit.Certs().ServerConfig() })
	})
}

func TestLoadGenerators(t *testing.T) {
	t.Run("wrk", func(t *testing.T) {
		needs(t, "wrk")
		with(t, mirror, func(t *testing.T, ctx context.Context, s *site) {
			out := program(t, ctx, "wrk", "-t1", "-c50", "-d1s", "http://"+s.addr)
			assert.NotContains(t, out, "Socket errors")
			assert.NotContains(t, out, "Non-2xx")
		})
	})
	t.Run("h2load", func(t *testing.T) {
		needs(t, "h2load")
		with(t, mirror, func(t *testing.T, ctx context.Context, s *site) {
			pipelined := []string{"-m", "4"}
			out := program(t, ctx, "h2load", append(pipelined, "--h1", "-n", "2000", "-c", "20", "http://"+s.addr+"/?100")...)
			assert.Contains(t, out, "2000 succeeded, 0 failed, 0 errored")
		})
	})
}

const pythonClient = `
import http.client, sys, asyncio
host, port = sys.argv[1].split(":")
c = http.client.HTTPConnection(host, int(port), timeout=30)
for n in range(3):
    c.request("POST", "/", body=b"x" * n)
    print(c.getresponse().read().decode())
c.request("POST", "/", body=iter([b"in ", b"chunks"]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
print(c.getresponse().read().decode())
async def main():
    r, w = await asyncio.open_connection(host, int(port))
    w.write(b"GET /?5 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    print((await r.read()).decode().rsplit("\r\n")[-1])
    w.close()
asyncio.run(main())
`

const pythonServer = `
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(s.server_address[1], flush=True)
s.serve_forever()
`

func TestPython(t *testing.T) {
	needs(t, "python3")
	t.Run("as a client", func(t *testing.T) {
		with(t, mirror, func(t *testing.T, ctx context.Context, s *site) {
			assert.Equal(t, "POST 0 <nil>\nPOST 1 <nil>\nPOST 2 <nil>\nPOST 9 <nil>\nxxxxx\n", program(t, ctx, "python3", "-c", pythonClient, s.addr))
		})
	})
	t.Run("as a server", func(t *testing.T) {
		cmd := exec.Command("python3", "-c", pythonServer)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		defer func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}()
		port := 0
		_, err = fmt.Fscan(out, &port)
		require.NoError(t, err)
		withClient(t, func(t *testing.T, ctx context.Context, tr *asynchttp.Transport) {
			for _, body := range []string{"", "hello", strings.Repeat("x", 300<<10)} {
				_, got, err := do(ctx, &http.Client{Transport: tr}, "POST", fmt.Sprintf("http://127.0.0.1:%d/", port), strings.NewReader(body))
				require.NoError(t, err)
				assert.Equal(t, body, got)
			}
		})
	})
}

// Both ends are this package's, in tasks of one loop.
func TestBothEnds(t *testing.T) {
	with(t, mirror, func(t *testing.T, ctx context.Context, s *site) {
		transport := &asynchttp.Transport{}
		client := &http.Client{Transport: transport}
		pages := make([]asyncio.Awaitable[string], 50)
		for i := range pages {
			pages[i] = asyncio.Coro[string](func(ctx context.Context) (string, error) {
				_, body, err := do(ctx, client, "POST", "http://"+s.addr, strings.NewReader(strings.Repeat("x", i*1000)))
				return body, err
			})
		}
		bodies, err := asyncio.Gather(ctx, pages...).Await(ctx)
		require.NoError(t, err)
		for i, body := range bodies {
			assert.Equal(t, fmt.Sprintf("POST %d <nil>", i*1000), body)
		}
		transport.CloseIdleConnections()
	})
}
