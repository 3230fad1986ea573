package asynchttp_test

// Random requests, made of those that are odd: the same answers as net/http's.

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// randomRequests is how many are tried on each driver. ASYNCHTTP_RANDOM in the
// environment asks for more.
const randomRequests = 300

// spices are what requests are broken by.
var spices = []string{
	"\r\n", "\n", "\r", " ", "\t", ":", "0", "1", ",", ";", "\x00", "\x80", "\r\n\r\n", "0\r\n\r\n", hostLine, chunkedTE,
	"Content-Length: 3\r\n", "Connection: close\r\n", "Expect: 100-continue\r\n", "GET / HTTP/1.1\r\n",
}

// randomRequest is one or two odd requests with a few bytes put in, taken out or changed.
func randomRequest(r *rand.Rand, from []string) string {
	text := []byte(from[r.IntN(len(from))])
	if r.IntN(3) == 0 {
		text = append(text, from[r.IntN(len(from))]...)
	}
	for range 1 + r.IntN(3) {
		at := r.IntN(len(text) + 1)
		switch r.IntN(3) {
		case 0:
			text = slices.Insert(text, at, []byte(spices[r.IntN(len(spices))])...)
		case 1:
			text = slices.Delete(text, at, min(len(text), at+1+r.IntN(4)))
		case 2:
			if at < len(text) {
				text[at] = byte(r.IntN(256))
			}
		}
	}
	return string(text)
}

// tries is how many random cases there are.
func tries(t *testing.T) int {
	t.Helper()
	n := os.Getenv("ASYNCHTTP_RANDOM")
	if n == "" {
		return randomRequests
	}
	count, err := strconv.Atoi(n)
	require.NoError(t, err)
	return count
}

func TestSameAnswersToRandomRequests(t *testing.T) {
	var from []string
	for _, text := range odd {
		if len(text) < 400 && text != "" {
			from = append(from, text)
		}
	}
	slices.Sort(from)
	randomly(t, tell, func(r *rand.Rand) string { return randomRequest(r, from) })
}

// randomly sends what text makes to a handler on both servers, and compares the answers.
func randomly(t *testing.T, handler http.HandlerFunc, text func(r *rand.Rand) string) {
	t.Helper()
	theirs := netServer(t, handler)
	with(t, handler, func(t *testing.T, ctx context.Context, s *site) {
		seed := uint64(time.Now().UnixNano())
		r := rand.New(rand.NewPCG(seed, 0))
		for n := range tries(t) {
			same(t, ctx, fmt.Sprintf("seed %d, request %d", seed, n), text(r), s.addr, theirs)
			if t.Failed() {
				return
			}
		}
	})
}

// obey does what the path says, letter by letter.
func obey(w http.ResponseWriter, r *http.Request) {
	set := func(key, value string) { w.Header().Add(key, value) }
	for _, order := range r.URL.Path[1:] {
		switch order {
		case 'a':
			_, _ = io.WriteString(w, "a few bytes")
		case 'b':
			_, _ = w.Write(make([]byte, 1500))
		case 'c':
			_, _ = w.Write(make([]byte, 5000))
		case 'd':
			_, _ = w.Write(nil)
		case 'f':
			_ = http.NewResponseController(w).Flush()
		case 'g':
			_, _ = io.CopyN(w, r.Body, 3)
		case 'h':
			_, _ = io.ReadAll(r.Body)
		case 'i':
			_ = r.Body.Close()
		case 'j':
			set("Content-Length", "11")
		case 'k':
			set("Content-Length", "1511")
		case 'l':
			set("Connection", "close")
		case 'm':
			set("Connection", "keep-alive")
		case 'n':
			set("Transfer-Encoding", "chunked")
		case 'o':
			set("Transfer-Encoding", "identity")
		case 'p':
			set("Trailer", "X-T")
			set("X-T", "t")
		case 'q':
			set("X-A", "value\nof lines")
		case 'r':
			set("Content-Type", "a/b")
		case 's':
			w.WriteHeader(http.StatusNoContent)
		case 't':
			w.WriteHeader(http.StatusNotModified)
		case 'u':
			w.WriteHeader(http.StatusNotFound)
		case 'v':
			w.WriteHeader(http.StatusEarlyHints)
		case 'w':
			delete(w.Header(), "Content-Length")
		case 'x':
			set("Content-Encoding", "x")
		case 'y':
			w.Header()["Date"] = nil
		case 'z':
			set(http.TrailerPrefix+"X-U", "u")
		}
	}
}

// Random handlers, too, do what they do on net/http's server.
func TestSameAnswersOfRandomHandlers(t *testing.T) {
	randomly(t, obey, func(r *rand.Rand) string {
		text := ""
		for range 1 + r.IntN(3) {
			orders := make([]byte, r.IntN(7))
			for i := range orders {
				orders[i] = byte('a' + r.IntN(26))
			}
			method := []string{"GET", "POST", "HEAD"}[r.IntN(3)]
			proto := []string{"HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0"}[r.IntN(4)]
			lines := []string{"", "", "Connection: close\r\n", "Connection: keep-alive\r\n", "Connection: x, keep-alive\r\n"}[r.IntN(5)]
			body := []string{"\r\n", "\r\n", "Content-Length: 10\r\n\r\n0123456789", chunkedTE + "\r\n5\r\n01234\r\n0\r\n\r\n", "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"}[r.IntN(5)]
			text += method + " /" + string(orders) + " " + proto + "\r\n" + hostLine + lines + body
		}
		return text
	})
}
