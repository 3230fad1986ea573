// Happy_eyeballs shows a name with several addresses, the first of which are dead:
// create_connection(happy_eyeballs_delay=...).
//
// The loop asks a resolver of the program's own, given by an option; in Python one would
// override loop.getaddrinfo. It runs in the task that connects, so it may await. With
// WithHappyEyeballs the addresses are tried in turn by family (RFC 8305): the next
// attempt starts when the last one has failed or is a while old, the first that succeeds
// wins, and the others end. If none does, the error has what each attempt has met, in the
// order in which they were made.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/seed-a026a017/asyncio"
)

func main() {
	if err := happyEyeballs(); err != nil {
		fmt.Fprintln(os.Stderr, "happy_eyeballs:", err)
		os.Exit(1)
	}
}

// zone is the resolver: names, with addresses that have a label each.
type zone map[string][]place

type place struct {
	label string
	addr  *net.TCPAddr
}

func (z zone) GetAddrInfo(_ context.Context, network, host, _ string) ([]asyncio.AddrInfo, error) {
	places, ok := z[host]
	if !ok {
		return nil, &net.DNSError{Err: "no such name", Name: host, IsNotFound: true}
	}
	var infos []asyncio.AddrInfo
	for _, p := range places {
		infos = append(infos, asyncio.AddrInfo{Network: network, Addr: p.addr})
	}
	fmt.Printf("the resolver answers for %s with %d addresses\n", host, len(infos))
	return infos, nil
}

func (z zone) GetNameInfo(context.Context, net.Addr) (host, service string, err error) {
	return "", "", errors.ErrUnsupported
}

// label is that of the place whose address is in the text. One address may begin like
// another: the longest counts.
func (z zone) label(text string) string {
	found := place{"somewhere else", nil}
	for _, places := range z {
		for _, p := range places {
			if strings.Contains(text, p.addr.String()) && (found.addr == nil || len(p.addr.String()) > len(found.addr.String())) {
				found = p
			}
		}
	}
	return found.label
}

func happyEyeballs() error {
	names := make(zone)
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		server, err := asyncio.StartServer(ctx, greet, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer server.Close()
		alive := place{"the living one", server.Addrs()[0].(*net.TCPAddr)}
		names["half.example"] = []place{{"a black hole", &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 9}}, alive}
		names["dead.example"] = []place{dead("six", "::1", 1), dead("six, too", "::1", 2), dead("four", "127.0.0.1", 1), dead("four, too", "127.0.0.1", 2)}
		for _, host := range []string{"half.example", "dead.example", "no.example"} {
			visit(ctx, names, host)
		}
		return nil
	}), asyncio.WithResolver(names))
	return err
}

// dead is a place where nobody listens.
func dead(label, ip string, port int) place {
	return place{label, &net.TCPAddr{IP: net.ParseIP(ip), Port: port}}
}

// visit connects to a name, and says which of its addresses has won, or what was tried.
func visit(ctx context.Context, names zone, host string) {
	r, w, err := asyncio.OpenConnection(ctx, "tcp", host+":greeting", asyncio.WithHappyEyeballs(50*time.Millisecond, 1))
	if err != nil {
		fmt.Printf("%s: no connection\n", host)
		if all, ok := err.(interface{ Unwrap() []error }); ok {
			for i, failed := range all.Unwrap() {
				fmt.Printf("  attempt %d: %s\n", i+1, names.label(failed.Error()))
			}
		}
		return
	}
	defer w.Close()
	line, err := r.ReadLine(ctx)
	if err != nil {
		fmt.Printf("%s: %v\n", host, err)
		return
	}
	fmt.Printf("%s: %s wins, and says %q\n", host, names.label(w.Transport().RemoteAddr().String()), line)
}

func greet(_ context.Context, _ *asyncio.StreamReader, w *asyncio.StreamWriter) error {
	_, err := fmt.Fprintln(w, "hello")
	return errors.Join(err, w.Close())
}
