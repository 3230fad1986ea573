// Command nethttp is an HTTP server on package net/http: nethttp PLACE [CERT KEY]. With a
// certificate it speaks HTTP/1.1 over TLS.
package main

import (
	"crypto/tls"
	"log"
	"net"
	"net/http"

	"github.com/seed-a026a017/asyncio/bench/servers/internal/serve"
	"github.com/seed-a026a017/asyncio/bench/servers/internal/web"
)

func main() {
	network, address := serve.Place()
	ln, err := net.Listen(network, address)
	if err != nil {
		log.Fatal(err)
	}
	if cfg := serve.TLS(2); cfg != nil {
		ln = tls.NewListener(ln, cfg)
	}
	log.Fatal(http.Serve(ln, http.HandlerFunc(web.Handler)))
}
