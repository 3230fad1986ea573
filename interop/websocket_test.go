package interop_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynchttp"
	"github.com/seed-a026a017/asyncio/asynciotest"
)

const messageMax = 1 << 20

// echo answers every message until the peer ends.
func echo(ctx context.Context, ws *websocket.Conn) error {
	ws.SetReadLimit(messageMax)
	for {
		kind, message, err := ws.Read(ctx)
		if err != nil {
			if websocket.CloseStatus(err) == websocket.StatusNormalClosure {
				return nil
			}
			return err
		}
		if err := ws.Write(ctx, kind, message); err != nil {
			return err
		}
	}
}

// say sends messages of several sizes and requires the same back.
func say(ctx context.Context, ws *websocket.Conn) error {
	ws.SetReadLimit(messageMax)
	for _, n := range []int{0, 1, 200, 70_000, messageMax - 100} {
		sent := bytes.Repeat([]byte{'x'}, n)
		if err := ws.Write(ctx, websocket.MessageBinary, sent); err != nil {
			return err
		}
		_, got, err := ws.Read(ctx)
		if err != nil {
			return err
		}
		if !bytes.Equal(sent, got) {
			return fmt.Errorf("%d bytes came back as %d others", n, len(got))
		}
	}
	return nil
}

// serveWebSockets serves on ln, each connection by session, in the goroutine of its
// handler.
func serveWebSockets(ln net.Listener, session func(ctx context.Context, ws *websocket.Conn) error) *http.Server {
	server := &http.Server{ErrorLog: log.New(io.Discard, "", 0)}
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer ws.CloseNow()
		if err := session(r.Context(), ws); err != nil {
			_ = ws.Close(websocket.StatusInternalError, err.Error())
		}
	})
	go func() { _ = server.Serve(ln) }()
	return server
}

func dialWebSocket(ctx context.Context, l *asyncio.Loop, address string) (*websocket.Conn, error) {
	client := &http.Client{Transport: &http.Transport{DialContext: l.DialContext}}
	ws, _, err := websocket.Dial(ctx, "ws://"+address, &websocket.DialOptions{HTTPClient: client})
	return ws, err
}

func TestWebSocketInGoroutines(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := running(t, opts...)
		ln, err := l.Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		server := serveWebSockets(ln, echo)
		for range 3 {
			ws, err := dialWebSocket(t.Context(), l, ln.Addr().String())
			require.NoError(t, err)
			require.NoError(t, say(t.Context(), ws))
			require.NoError(t, ws.Close(websocket.StatusNormalClosure, ""))
		}
		require.NoError(t, server.Shutdown(t.Context()))
	})
}

// Both ends talk in tasks. What waits for goroutines of package http, or for another
// user of the connection, is left to a thread: to dial, and to close.
func TestWebSocketInTasks(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := running(t, opts...)
		ln, err := l.Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		server := serveWebSockets(ln, func(ctx context.Context, ws *websocket.Conn) error {
			session := func(ctx context.Context) (asyncio.None, error) { return asyncio.None{}, echo(ctx, ws) }
			_, err := asyncio.RunCoroutineThreadsafe(l, session).Result(ctx)
			return err
		})
		onLoop(t, l, func(ctx context.Context) (asyncio.None, error) {
			talk := func(ctx context.Context) error {
				ws, err := asyncio.ToThread(ctx, func(ctx context.Context) (*websocket.Conn, error) {
					return dialWebSocket(ctx, l, ln.Addr().String())
				})
				if err != nil {
					return err
				}
				if err := say(ctx, ws); err != nil {
					return err
				}
				_, err = asyncio.ToThread(ctx, func(context.Context) (asyncio.None, error) {
					return asyncio.None{}, ws.Close(websocket.StatusNormalClosure, "")
				})
				return err
			}
			return asyncio.None{}, asyncio.WithTaskGroup(ctx, func(_ context.Context, g *asyncio.TaskGroup) error {
				for range 20 {
					g.Go(talk)
				}
				return nil
			})
		})
		require.NoError(t, server.Shutdown(t.Context()))
	})
}

// Both ends are tasks, without a goroutine: the server is asynchttp's, and the client's
// transport too.
func TestWebSocketOverAsynchttp(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			server := &asynchttp.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ws, err := websocket.Accept(w, r, nil)
				if err != nil {
					return
				}
				defer ws.CloseNow()
				_ = echo(r.Context(), ws)
			})}
			listening, err := server.Start(ctx, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			address := listening.Addrs()[0].String()
			err = asyncio.WithTaskGroup(ctx, func(_ context.Context, g *asyncio.TaskGroup) error {
				for range 20 {
					g.Go(func(ctx context.Context) error {
						client := &http.Client{Transport: &asynchttp.Transport{}}
						ws, _, err := websocket.Dial(ctx, "ws://"+address, &websocket.DialOptions{HTTPClient: client})
						if err != nil {
							return err
						}
						if err := say(ctx, ws); err != nil {
							return err
						}
						return ws.Close(websocket.StatusNormalClosure, "")
					})
				}
				return nil
			})
			require.NoError(t, err)
			require.NoError(t, server.Shutdown(ctx))
		})
	})
}
