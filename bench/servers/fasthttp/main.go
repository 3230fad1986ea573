// Command fasthttp is an HTTP server on valyala/fasthttp, which has types of its own and
// keeps the memory of requests for later ones: fasthttp PLACE.
package main

import (
	"encoding/json"
	"log"
	"net"

	"github.com/valyala/fasthttp"

	"github.com/seed-a026a017/asyncio/bench/servers/internal/serve"
	"github.com/seed-a026a017/asyncio/bench/servers/internal/web"
)

func main() {
	network, address := serve.Place()
	ln, err := net.Listen(network, address)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(fasthttp.Serve(ln, answer))
}

func answer(ctx *fasthttp.RequestCtx) {
	if string(ctx.Path()) == "/json" {
		ctx.SetContentType("application/json")
		_ = json.NewEncoder(ctx).Encode(web.Message{Message: web.Greeting}) // into memory
		return
	}
	ctx.SetContentType("text/plain")
	ctx.SetBodyString(web.Greeting)
}
