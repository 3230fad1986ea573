package interop_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// handler answers with what it was asked, and to /big with a megabyte.
func handler(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/big" {
		_, _ = w.Write(bytes.Repeat([]byte("0123456789abcdef"), 1<<16))
		return
	}
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %s %d", r.Proto, r.Method, r.URL.Path, len(body))
}

// serve runs an http.Server on ln, with TLS if it is to, until the test has ended, and
// returns its address.
func serve(t *testing.T, ln net.Listener, secure bool) string {
	t.Helper()
	server := &http.Server{Handler: http.HandlerFunc(handler), ErrorLog: log.New(io.Discard, "", 0)}
	if secure {
		server.TLSConfig = testkit.Certs().ServerConfig()
	}
	ended := make(chan error, 1)
	go func() {
		if secure {
			ended <- server.ServeTLS(ln, "", "")
		} else {
			ended <- server.Serve(ln)
		}
	}()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		require.ErrorIs(t, asynciotest.Eventually(t, ended), http.ErrServerClosed)
	})
	return ln.Addr().String()
}

// onListen is the address of an http.Server on Loop.Listen.
func onListen(t *testing.T, secure bool, opts ...asyncio.Option) string {
	t.Helper()
	return onListenWith(t, secure, nil, opts...)
}

func onListenWith(t *testing.T, secure bool, options []asyncio.ServerOption, opts ...asyncio.Option) string {
	t.Helper()
	ln, err := running(t, opts...).Listen(context.Background(), "tcp", "127.0.0.1:0", options...)
	require.NoError(t, err)
	return serve(t, ln, secure)
}

// run is what a command prints.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(tool(t, name), args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
	return string(out)
}

func TestCurl(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		ca := testkit.Certs().Files(t).Authority
		plain, secure := onListen(t, false, opts...), onListen(t, true, opts...)
		require.Equal(t, "HTTP/1.1 GET /a 0", run(t, "curl", "-sS", "http://"+plain+"/a"))
		require.Equal(t, "HTTP/1.1 GET /a 0", run(t, "curl", "-sS", "--http1.1", "--cacert", ca, "https://"+secure+"/a"))
		require.Equal(t, "HTTP/2.0 GET /a 0", run(t, "curl", "-sS", "--http2", "--cacert", ca, "https://"+secure+"/a"))
		sent := filepath.Join(t.TempDir(), "sent")
		require.NoError(t, os.WriteFile(sent, make([]byte, 3<<20), 0o600))
		require.Equal(t, "HTTP/2.0 POST /p 3145728",
			run(t, "curl", "-sS", "--http2", "--cacert", ca, "--data-binary", "@"+sent, "https://"+secure+"/p"))
		require.Len(t, run(t, "curl", "-sS", "--http2", "--cacert", ca, "https://"+secure+"/big"), 1<<20)
		require.Len(t, run(t, "curl", "-sS", "http://"+plain+"/big"), 1<<20)
		loops := onListenWith(t, false, []asyncio.ServerOption{asyncio.WithTLS(testkit.Certs().ServerConfig())}, opts...)
		require.Equal(t, "HTTP/1.1 GET /a 0", run(t, "curl", "-sS", "--http2", "--cacert", ca, "https://"+loops+"/a"), "TLS of the loop's own")
		require.Len(t, run(t, "curl", "-sS", "--cacert", ca, "https://"+loops+"/big"), 1<<20)
	})
}

func TestLoad(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("h2load", func(t *testing.T) {
			out := run(t, "h2load", "-n", "5000", "-c", "20", "-m", "10", "https://"+onListen(t, true, opts...)+"/a")
			require.Contains(t, out, "5000 succeeded, 0 failed, 0 errored, 0 timeout")
			require.Contains(t, out, "Application protocol: h2")
		})
		t.Run("wrk", func(t *testing.T) {
			out := run(t, "wrk", "-c", "50", "-t", "2", "-d", "1s", "http://"+onListen(t, false, opts...)+"/a")
			require.NotContains(t, out, "Socket errors")
			require.NotContains(t, out, "Non-2xx")
			require.Contains(t, out, "Requests/sec")
		})
	})
}

// h2spec finds the same in a server on Loop.Listen as in one on net.Listen.
func TestH2spec(t *testing.T) {
	path, err := exec.Command("go", "tool", "-n", "h2spec").Output()
	require.NoError(t, err)
	h2spec := strings.TrimSpace(string(path))
	want := make(chan map[string]string, 2)
	t.Run("cases", func(t *testing.T) {
		t.Run("net", func(t *testing.T) {
			t.Parallel()
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			found := specify(t, h2spec, serve(t, ln, true))
			for range cap(want) {
				want <- found
			}
		})
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			t.Parallel()
			found := specify(t, h2spec, onListen(t, true, opts...))
			require.Greater(t, len(found), 100)
			require.Equal(t, asynciotest.Eventually(t, want), found)
		})
	})
}

// specify is what h2spec finds, by the names of its cases: "", or what has failed.
func specify(t *testing.T, h2spec, address string) map[string]string {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	report := filepath.Join(t.TempDir(), "report.xml")
	out, err := exec.Command(h2spec, "-h", host, "-p", port, "-t", "-k", "-o", "1", "-j", report).CombinedOutput()
	text, failed := os.ReadFile(report)
	require.NoError(t, failed, "%v: %s", err, out)
	var suites struct {
		Suites []struct {
			Cases []struct {
				Package string `xml:"package,attr"`
				Name    string `xml:"classname,attr"`
				Failure *struct {
					Text string `xml:",chardata"`
				} `xml:"failure"`
				Skipped *struct{} `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	require.NoError(t, xml.Unmarshal(text, &suites))
	found := make(map[string]string)
	for _, s := range suites.Suites {
		for _, c := range s.Cases {
			name := c.Package + " " + c.Name
			switch {
			case c.Failure != nil:
				found[name] = "failed"
			case c.Skipped != nil:
				found[name] = "skipped"
			default:
				found[name] = "passed"
			}
		}
	}
	return found
}
