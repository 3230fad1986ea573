package asynchttp

// What parseHead accepts, http.ReadRequest accepts, with the same result, and so does the
// server behind it.

import (
	"bufio"
	"context"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var heads = []string{
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /a/b.c?d=e&f=%20 HTTP/1.1\nHost: [::1]:80\n\n",
	"POST //x HTTP/1.0\r\nContent-Length: 12\r\nConnection: keep-alive\r\nx-y: \t z \t\r\nX-Y: \xe9\r\n\r\n",
	"GET / HTTP/1.1\r\nhost: a\r\nConnection: close\r\nA:\r\nA: b\tc\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nCookie: b\r\nAccept: */*\r\nUser-Agent: c (d; e)\r\n\r\n",
	"PUT /-._~ HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\n\r\n",
}

var notPlain = []string{
	"", "\r\n\r\n", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "get / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
	"GET /%20 HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a? HTTP/1.1\r\nHost: a\r\n\r\n", "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
	"CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nA: b\rc\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nA: b\x00\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nTrailer: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nPragma: no-cache\r\n\r\n",
}

func TestPlainHeads(t *testing.T) {
	for _, head := range heads {
		require.NotNil(t, parseHead(t.Context(), head), "%q", head)
		checkHead(t, head)
	}
	for _, head := range notPlain {
		if headEnd([]byte(head), 0) == len(head) && head != "" {
			assert.Nil(t, parseHead(t.Context(), head), "%q", head)
		}
	}
}

// checkHead compares a head with what http.ReadRequest makes of it, if it is plain.
func checkHead(t *testing.T, text string) {
	end := headEnd([]byte(text), 0)
	if end == 0 {
		return
	}
	head := text[:end]
	got := parseHead(context.Background(), head)
	if got == nil {
		return
	}
	want, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	require.NoError(t, err, "%q", text)
	require.NoError(t, checkRequest(want, []byte(text)), "%q", text)
	want.Body = nil
	want = want.WithContext(context.Background())
	require.True(t, reflect.DeepEqual(want, got), "%q:\n%+v\n%+v", text, want, got)
	checked, plain := plainSoFar([]byte(head), 0)
	require.True(t, plain || checked == end-len(tail(head)), "%q", text)
}

// tail is the empty line at the end of a head.
func tail(head string) string {
	if strings.HasSuffix(head, "\r\n") {
		return "\r\n"
	}
	return "\n"
}

func TestHeadEnd(t *testing.T) {
	for _, head := range heads {
		for from := range head {
			assert.Zero(t, headEnd([]byte(head[:from]), 0), "%q", head[:from])
		}
		assert.Equal(t, len(head), headEnd([]byte(head+"rest"), 0))
		checked, plain := 0, false
		for n := range len(head) - len(tail(head)) {
			checked, plain = plainSoFar([]byte(head[:n]), checked)
			require.True(t, plain, "%q", head[:n])
			assert.Equal(t, len(head), headEnd([]byte(head), max(0, checked-1)))
		}
	}
}

func FuzzHead(f *testing.F) {
	for _, head := range append(heads, notPlain...) {
		f.Add(head)
	}
	f.Fuzz(func(t *testing.T, text string) { checkHead(t, text) })
}
