package asyncio

// What a tls.Conn keeps of its handshake. Two of its buffers have grown for messages of 1
// to 4 KiB, and stay so for as long as the connection lasts: half of the 7.6 KiB that an
// idle one takes. An empty bytes.Buffer may be replaced by a new one, and nobody else
// uses the tls.Conn; so that is done once the bytes are read that came with the end of
// the handshake. Should another version of crypto/tls have no such buffers, nothing
// happens but that a test says so.

import (
	"bytes"
	"crypto/tls"
	"reflect"
	"unsafe"
)

// tlsBuffers is where the buffers lie in a tls.Conn.
var tlsBuffers = findTLSBuffers()

func findTLSBuffers() (at []uintptr) {
	conn, buffer := reflect.TypeFor[tls.Conn](), reflect.TypeFor[bytes.Buffer]()
	for _, name := range []string{"rawInput", "hand"} {
		if f, ok := conn.FieldByName(name); ok && f.Type == buffer {
			at = append(at, f.Offset)
		}
	}
	return at
}

// trimTLS gives back what the handshake of c has needed, and reports whether that was
// possible.
func trimTLS(c *tls.Conn) bool {
	for _, at := range tlsBuffers {
		b := (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(c), at))
		if b.Len() > 0 {
			return false
		}
		*b = bytes.Buffer{}
	}
	return true
}
