package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/seed-a026a017/asyncio/bench/internal/cost"
	"github.com/seed-a026a017/asyncio/uv"
)

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// tcpPair makes a connection of the loop to itself, and calls begin when both ends are
// there.
func tcpPair(l *uv.Loop, begin func(client, server *uv.Stream)) {
	ln, err := l.NewTCP()
	cost.Check(err)
	client, err := l.NewTCP()
	cost.Check(err)
	p := &pair{client: &client.Stream, begin: begin}
	cost.Check(ln.Bind(netip.AddrPortFrom(loopback, 0), 0))
	cost.Check(ln.Listen(1, func(conn *uv.TCP, err error) {
		cost.Check(err)
		ln.Close()
		p.server = &conn.Stream
		p.endIsThere()
	}))
	addr, err := ln.LocalAddr()
	cost.Check(err)
	cost.Check(client.Connect(addr, p.connected))
}

func pipePair(l *uv.Loop, begin func(client, server *uv.Stream)) {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("twins-%d.sock", os.Getpid()))
	ln, err := l.NewPipe()
	cost.Check(err)
	client, err := l.NewPipe()
	cost.Check(err)
	p := &pair{client: &client.Stream, begin: begin}
	cost.Check(ln.Bind(path))
	cost.Check(ln.Listen(1, func(conn *uv.Pipe, err error) {
		cost.Check(err)
		ln.Close()
		p.server = &conn.Stream
		p.endIsThere()
	}))
	cost.Check(client.Connect(path, p.connected))
}

type pair struct {
	client, server *uv.Stream
	ends           int
	begin          func(client, server *uv.Stream)
}

func (p *pair) connected(err error) {
	cost.Check(err)
	p.endIsThere()
}

func (p *pair) endIsThere() {
	if p.ends++; p.ends == 2 {
		p.begin(p.client, p.server)
	}
}

// pingPongs sends five bytes there and back.
func pingPongs(n int) {
	ping := []byte("PING\n")
	on(func(l *uv.Loop) {
		tcpPair(l, func(client, server *uv.Stream) {
			cost.Check(server.ReadStart(func(b []byte, err error) {
				cost.Check(err)
				cost.Check(server.Write(ping, cost.Check))
			}))
			cost.Check(client.ReadStart(func(b []byte, err error) {
				cost.Check(err)
				if n--; n == 0 {
					client.Close()
					server.Close()
					return
				}
				cost.Check(client.Write(ping, cost.Check))
			}))
			cost.Check(client.Write(ping, cost.Check))
		})
	})
}

func tcpPump(n int)  { on(func(l *uv.Loop) { tcpPair(l, pump(n)) }) }
func pipePump(n int) { on(func(l *uv.Loop) { pipePair(l, pump(n)) }) }

// pump sends n pieces, the next when the last has left.
func pump(n int) func(client, server *uv.Stream) {
	piece := make([]byte, pieceBytes)
	toCome := n * pieceBytes
	return func(client, server *uv.Stream) {
		readAll(client, server, toCome)
		var next func(error)
		next = func(err error) {
			cost.Check(err)
			if n--; n >= 0 {
				cost.Check(client.Write(piece, next))
			}
		}
		next(nil)
	}
}

// readAll closes both ends when the server has read toCome bytes.
func readAll(client, server *uv.Stream, toCome int) {
	cost.Check(server.ReadStart(func(b []byte, err error) {
		cost.Check(err)
		if toCome -= len(b); toCome == 0 {
			client.Close()
			server.Close()
		}
	}))
}

// tcpWriteBatch asks for all writes before the loop goes on.
func tcpWriteBatch(n int) {
	b := make([]byte, writeBytes)
	done := 0
	on(func(l *uv.Loop) {
		tcpPair(l, func(client, server *uv.Stream) {
			readAll(client, server, n*writeBytes)
			count := func(err error) {
				cost.Check(err)
				done++
			}
			for range n {
				cost.Check(client.Write(b, count))
			}
		})
	})
	if done != n {
		cost.Check(fmt.Errorf("%d of %d writes were called back", done, n))
	}
}
