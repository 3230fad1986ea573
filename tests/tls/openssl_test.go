package tls_test

// What crypto/tls cannot be asked to do as a peer: new keys in the middle of a
// connection, and renegotiation. openssl's s_client and s_server do both when told so on
// their standard input.

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// openssl is a running s_client or s_server.
type openssl struct {
	cmd   *exec.Cmd
	stdin io.Writer
	mu    sync.Mutex
	heard bytes.Buffer // of its standard output and error
	ended chan struct{}
}

// startOpenssl starts one, which ends with the test.
func startOpenssl(t *testing.T, args ...string) *openssl {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skipf("openssl is not installed: %v", err)
	}
	o := &openssl{cmd: exec.Command(path, args...), ended: make(chan struct{})}
	stdin, err := o.cmd.StdinPipe()
	require.NoError(t, err)
	o.stdin, o.cmd.Stdout, o.cmd.Stderr = stdin, o, o
	require.NoError(t, o.cmd.Start())
	go func() {
		defer close(o.ended)
		_ = o.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = o.cmd.Process.Kill()
		<-o.ended
	})
	return o
}

// Write is called with what it prints.
func (o *openssl) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.heard.Write(p)
}

// says waits until it has printed text, and forgets what came up to that.
func (o *openssl) says(t *testing.T, ctx context.Context, text string) {
	t.Helper()
	err := asynciotest.Until(ctx, func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		i := bytes.Index(o.heard.Bytes(), []byte(text))
		if i >= 0 {
			o.heard.Next(i + len(text))
		}
		return i >= 0
	})
	o.mu.Lock()
	defer o.mu.Unlock()
	require.NoError(t, err, "it does not say %q, but %q", text, o.heard.String())
}

// tell writes a line to its standard input, which is a command if it is one letter.
func (o *openssl) tell(t *testing.T, line string) {
	t.Helper()
	_, err := io.WriteString(o.stdin, line+"\n")
	require.NoError(t, err)
}

func TestKeyUpdates(t *testing.T) {
	eachTask(t, func(t *testing.T, ctx context.Context) {
		updates := 0
		handler := func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
			defer w.Close()
			stop := asyncio.NewEvent()
			var tasks []*asyncio.Task[asyncio.None]
			for i := range 3 { // that write while keys change
				tasks = append(tasks, testkit.Start(ctx, func(ctx context.Context) error {
					for n := 0; !stop.IsSet(); n++ {
						fmt.Fprintf(w, "task %d line %d\n", i, n)
						if err := w.Drain(ctx); err != nil {
							return err
						}
						if err := asyncio.Sleep(ctx, time.Millisecond); err != nil {
							return err
						}
					}
					return nil
				}))
			}
			for line, err := range r.Lines(ctx) {
				if err != nil {
					return err
				}
				updates++
				if _, err := w.Write(append([]byte("answer to "), line...)); err != nil {
					return err
				}
			}
			stop.Set()
			for _, task := range tasks {
				if _, err := task.Await(ctx); err != nil {
					return err
				}
			}
			return nil
		}
		s, err := asyncio.StartServer(ctx, handler, "tcp", "127.0.0.1:0", asyncio.WithTLS(testkit.Certs().ServerConfig()))
		require.NoError(t, err)
		o := startOpenssl(t, "s_client", "-connect", testkit.ServerAddr(t, s), "-tls1_3")
		for i := range 20 {
			o.tell(t, []string{"K", "k"}[i%2])
			o.says(t, ctx, "KEYUPDATE")
			o.tell(t, fmt.Sprintf("line %d", i))
			o.says(t, ctx, fmt.Sprintf("answer to line %d\n", i))
		}
		o.tell(t, "Q")
		eventually(t, ctx, o.ended)
		s.Close()
		require.NoError(t, s.WaitClosed(ctx))
		require.Equal(t, 20, updates)
	})
}

func TestRenegotiation(t *testing.T) {
	t.Run("a client asks", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			h := startHeartbeat(ctx)
			p := testkit.NewTap(testkit.LoopOf(ctx))
			s, err := p.Loop.CreateServer(ctx, p.Factory, "tcp", "127.0.0.1:0", asyncio.WithTLS(testkit.Certs().ServerConfig()))
			require.NoError(t, err)
			o := startOpenssl(t, "s_client", "-connect", testkit.ServerAddr(t, s), "-tls1_2")
			o.tell(t, "hello")
			require.NoError(t, asynciotest.Until(ctx, func() bool { return len(p.Received) == 6 }))
			o.tell(t, "R")
			require.ErrorContains(t, p.End(t, ctx), "unexpected handshake message")
			eventually(t, ctx, o.ended)
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
			h.stop(t, 3)
		})
	})
	t.Run("a server asks", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			files := testkit.Certs().Files(t)
			port := strconv.Itoa(testkit.UnusedPort(t))
			o := startOpenssl(t, "s_server", "-accept", "127.0.0.1:"+port, "-cert", files.ServerCert, "-key", files.ServerKey, "-tls1_2")
			o.says(t, ctx, "ACCEPT")
			p := testkit.NewTap(testkit.LoopOf(ctx))
			tr, _, err := p.Loop.CreateConnection(ctx, p.Factory, "tcp", net.JoinHostPort("127.0.0.1", port), asyncio.WithTLS(testkit.Certs().ClientConfig()))
			require.NoError(t, err)
			require.Equal(t, uint16(tls.VersionTLS12), state(t, p).Version)
			_, err = tr.Write([]byte("hello\n"))
			require.NoError(t, err)
			o.says(t, ctx, "hello")
			o.tell(t, "r")
			require.ErrorContains(t, p.End(t, ctx), "no renegotiation")
		})
	})
}
