package taskgroup

// The site that is crawled, a server of the same loop, and how a page of it is fetched.
// Package net/http writes and reads questions and answers; what lies between is awaited.

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/seed-a026a017/asyncio"
)

// site has the links of each page.
var site = map[string]string{
	"/":      "/about /news /shop /jobs",
	"/about": "/ /team",
	"/team":  "/about /jobs",
	"/news":  "/ /news/1 /news/2",
	"/shop":  "/",
	"/jobs":  "/about",

	"/news/1": "/news",
	"/news/2": "/news /news/1",

	"/shaky": "/slow/1 /slow/2 /broken",
	"/attic": "ftp://attic/ gopher://cellar/",
}

func startSite(ctx context.Context) (*asyncio.Server, error) {
	server, err := asyncio.StartServer(ctx, answer, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return server, nil
}

func stopSite(ctx context.Context, server *asyncio.Server) error {
	server.Close()
	server.CloseClients()
	return server.WaitClosed(ctx)
}

// answer reads one question from a connection and answers it.
func answer(ctx context.Context, in *asyncio.StreamReader, out *asyncio.StreamWriter) (err error) {
	defer func() { err = errors.Join(err, out.Close()) }()
	head, err := in.ReadUntil(ctx, []byte("\r\n\r\n"))
	if errors.Is(err, asyncio.ErrCancelled) {
		return err
	}
	if err != nil {
		return nil // whoever wanted to ask was cancelled
	}
	request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		return err
	}
	page := request.URL.Path
	links, known := site[page]
	status := http.StatusOK
	switch {
	case strings.HasPrefix(page, "/slow/"):
		return asyncio.Sleep(ctx, asyncio.Forever)
	case page == "/broken":
		status = http.StatusInternalServerError
	case !known:
		status = http.StatusNotFound
	}
	response := &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Close: true,
		ContentLength: int64(len(links)), Body: io.NopCloser(strings.NewReader(links)),
	}
	return response.Write(out)
}

// statusError is an answer that is no page.
type statusError struct{ code int }

func (e *statusError) Error() string { return fmt.Sprintf("%d %s", e.code, http.StatusText(e.code)) }

// fetch gets a page. A StreamWriter is an io.Writer, so the question is written straight
// into it.
func fetch(ctx context.Context, address, page string) (text string, err error) {
	in, out, err := asyncio.OpenConnection(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	request, err := http.NewRequest(http.MethodGet, "http://"+address+page, nil)
	if err != nil {
		return "", err
	}
	request.Close = true // the answer ends with the connection
	if err := request.Write(out); err != nil {
		return "", err
	}
	answer, err := in.ReadAll(ctx)
	if err != nil {
		return "", err
	}
	response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), request)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	if response.StatusCode != http.StatusOK {
		return "", &statusError{response.StatusCode}
	}
	body, err := io.ReadAll(response.Body)
	return string(body), err
}
