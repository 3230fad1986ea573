// Command gonet is an echo server on package net: one goroutine and one buffer for each
// connection.
package main

import (
	"log"
	"net"

	"github.com/seed-a026a017/asyncio/bench/servers/internal/serve"
)

func main() {
	ln, err := net.Listen("tcp", serve.Addr())
	if err != nil {
		log.Fatal(err)
	}
	for {
		conn, err := ln.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go echo(conn)
	}
}

// echo ends with the connection, whether the peer closes it or resets it.
func echo(conn net.Conn) {
	defer conn.Close()
	for buf := serve.NewBuffer(); ; {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		if _, err := conn.Write(buf[:n]); err != nil {
			return
		}
		buf = serve.Grow(buf, n)
	}
}
