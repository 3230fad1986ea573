// Command gonet is a server on package net: gonet PLACE stream|datagram|file [FILE], or
// gonet PLACE tls CERT KEY.
//
// Streams, and those over TLS, have a goroutine and a buffer for each connection, datagrams
// one of each for all. With file every byte of a connection is answered with FILE, which package net does
// with sendfile.
package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"os"

	"github.com/seed-a026a017/asyncio/bench/servers/internal/serve"
)

func main() {
	network, address := serve.Place()
	err := fmt.Errorf("usage: %s PLACE stream|datagram|file [FILE] or %[1]s PLACE tls CERT KEY", os.Args[0])
	switch {
	case len(os.Args) == 3 && os.Args[2] == "stream":
		err = accept(network, address, echo)
	case len(os.Args) == 5 && os.Args[2] == "tls":
		cfg := serve.TLS(3)
		err = accept(network, address, func(conn net.Conn) { echo(tls.Server(conn, cfg)) })
	case len(os.Args) == 3 && os.Args[2] == "datagram":
		err = echoDatagrams(address)
	case len(os.Args) == 4 && os.Args[2] == "file":
		err = accept(network, address, func(conn net.Conn) { answerWith(conn, os.Args[3]) })
	}
	log.Fatal(err)
}

func accept(network, address string, handle func(net.Conn)) error {
	ln, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	for {
		conn, err := ln.Accept()
		if err != nil {
			return err
		}
		go handle(conn)
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

func echoDatagrams(address string) error {
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	udp := conn.(*net.UDPConn)
	for buf := make([]byte, serve.BufferBytesMax); ; {
		n, from, err := udp.ReadFromUDPAddrPort(buf)
		if err != nil {
			return err
		}
		if _, err := udp.WriteToUDPAddrPort(buf[:n], from); err != nil {
			return err
		}
	}
}

// answerWith ends with the connection, too.
func answerWith(conn net.Conn, name string) {
	defer conn.Close()
	file, err := os.Open(name)
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	for request := make([]byte, 1); ; {
		if _, err := io.ReadFull(conn, request); err != nil {
			return
		}
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			log.Fatal(err)
		}
		if _, err := io.Copy(conn, file); err != nil {
			return
		}
	}
}
