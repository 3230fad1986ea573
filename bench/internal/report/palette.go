package report

import (
	"hash/fnv"
	"image/color"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

// colours has a hue for each family: blue for asyncio, green for Go without it, orange
// for uvloop, violet for Python's own loop, red for Node, brown for tokio, grey for C.
var colours = map[string]color.RGBA{
	result.LibuvC:         rgb(0x404040),
	result.LibuvC256:      rgb(0x9a9a9a),
	result.LibuvCPlain:    rgb(0x9a9a9a),
	result.LibuvCLoops:    rgb(0x9a9a9a),
	result.EpollC:         rgb(0x404040),
	result.Protocol:       rgb(0x1b4f9c),
	result.OneLoop:        rgb(0x1b4f9c),
	result.TwoLoops:       rgb(0x5b9bd5),
	result.Buffered:       rgb(0x12305c),
	result.Asyncio:        rgb(0x1b4f9c),
	result.Streams:        rgb(0x5b9bd5),
	result.PureGo:         rgb(0x7b8fe0),
	result.GoNet:          rgb(0x2c8a57),
	result.Bare:           rgb(0x2c8a57),
	result.Uvloop:         rgb(0xd9730d),
	result.UvloopLoop:     rgb(0xd9730d),
	result.UvloopStreams:  rgb(0xf3b672),
	result.Python:         rgb(0x8e44ad),
	result.PythonLoop:     rgb(0x8e44ad),
	result.NodeNet:        rgb(0xc0392b),
	result.Node:           rgb(0xc0392b),
	result.PureGoStreams:  rgb(0xb4bdf0),
	result.Netpoll:        rgb(0x9cb83c),
	result.Tokio:          rgb(0x8c6d4f),
	result.Gnet:           rgb(0x6fb98f),
	result.Nbio:           rgb(0x4c7a34),
	result.Asio:           rgb(0xb59a7a),
	result.Goja:           rgb(0x17a2b0),
	result.HTTPTasks:      rgb(0x1b4f9c),
	result.HTTPPureGo:     rgb(0x7b8fe0),
	result.HTTPListen:     rgb(0x5b9bd5),
	result.NetHTTP:        rgb(0x2c8a57),
	result.FastHTTP:       rgb(0x9cb83c),
	result.NodeHTTP:       rgb(0xc0392b),
	result.NodeMicrotasks: rgb(0xe8a19a),
}

// spare are the colours of contenders that colours does not know.
var spare = []color.RGBA{rgb(0xe08bb5), rgb(0xc9b83a)}

// colourOf depends on the name alone: a contender that joins changes nobody's colour.
func colourOf(name string) color.RGBA {
	if c, ok := colours[name]; ok {
		return c
	}
	h := fnv.New32a()
	h.Write([]byte(name))
	return spare[h.Sum32()%uint32(len(spare))]
}

func rgb(hex uint32) color.RGBA {
	return color.RGBA{R: uint8(hex >> 16), G: uint8(hex >> 8), B: uint8(hex), A: 0xff}
}
