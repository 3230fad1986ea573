//go:build cgo

package uv_test

// A handle whose connect has failed is as good as new, whatever was to be written and
// shut down behind that connect.

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// connector is a handle that can connect to nobody, and to a listener.
type connector struct {
	*uv.Stream
	nobody, somebody func(done func(error)) error
	received         *[]byte // by the listener
}

var connectors = map[string]func(t *testing.T, l *uv.Loop) connector{
	"tcp": func(t *testing.T, l *uv.Loop) connector {
		c, got := newTCP(t, l), new([]byte)
		ln := listen(t, l, func(c *uv.TCP, err error) {
			require.NoError(t, err)
			require.NoError(t, c.ReadStart(func(b []byte, err error) { *got = append(*got, b...) }))
		})
		nowhere := nobody(t, l)
		return connector{&c.Stream,
			func(done func(error)) error { return c.Connect(nowhere, done) },
			func(done func(error)) error {
				err := c.Connect(addrOf(t, ln), done)
				if errors.Is(err, uv.ECONNABORTED) { // Linux tells a connect that the one before it has failed
					err = c.Connect(addrOf(t, ln), done)
				}
				return err
			}, got}
	},
	"pipe": func(t *testing.T, l *uv.Loop) connector {
		c, ln, got := newPipe(t, l), newPipe(t, l), new([]byte)
		path := shortDir(t) + "/socket"
		require.NoError(t, ln.Bind(path))
		require.NoError(t, ln.Listen(8, func(c *uv.Pipe, err error) {
			require.NoError(t, err)
			require.NoError(t, c.ReadStart(func(b []byte, err error) { *got = append(*got, b...) }))
		}))
		return connector{&c.Stream,
			func(done func(error)) error { return c.Connect(path+"-nobody", done) },
			func(done func(error)) error { return c.Connect(path, done) }, got}
	},
}

func TestReconnect(t *testing.T) {
	for kind, newConnector := range connectors {
		for name, behind := range map[string]func(s *uv.Stream, done func(error)) error{
			"nothing":     nil,
			"write":       func(s *uv.Stream, done func(error)) error { return s.Write([]byte("old"), done) },
			"large write": func(s *uv.Stream, done func(error)) error { return s.Write(make([]byte, 100_000), done) },
			"flushed write": func(s *uv.Stream, done func(error)) error {
				return errors.Join(s.Write([]byte("old"), done), s.Flush())
			},
			"shutdown": (*uv.Stream).CloseWrite,
			"write and shutdown": func(s *uv.Stream, done func(error)) error {
				return errors.Join(s.Write([]byte("old"), nil), s.CloseWrite(done))
			},
		} {
			for _, early := range []bool{true, false} { // right behind the connect, or right before its end is told
				t.Run(kind+" "+name, func(t *testing.T) {
					l := newLoop(t)
					c := newConnector(t, l)
					var dropped, done []error
					drop := func() {
						if behind != nil {
							require.NoError(t, behind(c.Stream, func(err error) { dropped = append(dropped, err) }))
						}
					}
					if !early {
						other, _ := peerOf(t, l) // it is called after the poll, before the records
						require.NoError(t, other.Write([]byte("x"), func(error) { drop() }))
					}
					connected := false
					require.NoError(t, c.nobody(func(err error) {
						require.Error(t, err)
						require.Zero(t, c.WriteQueueSize())
						require.NoError(t, c.somebody(func(err error) {
							require.NoError(t, err)
							connected = true
						}))
					}))
					if early {
						drop()
					}
					until(t, l, "the second connect", func() bool { return connected })
					require.NoError(t, c.Write([]byte("new"), func(err error) { done = append(done, err) }))
					require.NoError(t, c.CloseWrite(func(err error) { done = append(done, err) }))
					until(t, l, "the ends", func() bool { return len(done) == 2 && (behind == nil || len(dropped) == 1) })
					require.Equal(t, []error{nil, nil}, done)
					for _, err := range dropped {
						require.ErrorIs(t, err, context.Canceled)
					}
					until(t, l, "the bytes", func() bool { return len(*c.received) == 3 })
					require.Equal(t, "new", string(*c.received))
					require.Zero(t, c.WriteQueueSize())
				})
			}
		}
	}
}
