// Tls_echo shows an echo server and its clients that speak TLS, with a certificate that
// is made when the program starts: start_server(ssl=...), open_connection(ssl=...),
// get_extra_info("ssl_object").
//
// WithTLS is all that is different. It takes a tls.Config as package crypto/tls has it,
// so certificates, names, ALPN and resumption are what they are elsewhere in Go. The
// handshake is over when OpenConnection returns, and before a handler begins.
//
// Without flags it talks to itself. With -listen it serves until Ctrl-C, and -cert writes
// the certificate to a file, for clients that shall trust it:
//
//	go run ./examples/tls_echo -listen 127.0.0.1:8443 -cert cert.pem
//	openssl s_client -quiet -connect 127.0.0.1:8443 -CAfile cert.pem
package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio"
)

const (
	// backlog is how many clients may wait to be accepted: as many as connect at once.
	backlog = 1024
	// stopTimeMax is how long a client may take to read what is still buffered for it
	// when the server stops.
	stopTimeMax = 2 * time.Second
	// readBytesMax is how much one Read takes: a record of TLS.
	readBytesMax = 16 << 10
	// certificateLife is long enough for the program.
	certificateLife = 365 * 24 * time.Hour
)

func main() {
	listen := flag.String("listen", "", "serve on this `address` until Ctrl-C; port 0 picks one")
	file := flag.String("cert", "", "write the certificate to this `file`")
	flag.Parse()
	run := demo
	if *listen != "" {
		run = func(cert tls.Certificate) error { return serve(*listen, cert) }
	}
	cert, err := makeCertificate()
	if err == nil && *file != "" {
		err = os.WriteFile(*file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Leaf.Raw}), 0o644)
	}
	if err == nil {
		err = run(cert)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tls_echo:", err)
		os.Exit(1)
	}
}

// makeCertificate makes one for this host that is signed by its own key. Whoever shall
// trust it needs it in a pool of authorities.
func makeCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "localhost"},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(certificateLife),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

// trusting is the configuration of a client that trusts a certificate, and no other.
func trusting(cert tls.Certificate) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(cert.Leaf)
	return &tls.Config{RootCAs: pool}
}

// start opens an echo server. It serves in the background, for as long as the loop runs.
func start(ctx context.Context, address string, cert tls.Certificate) (*asyncio.Server, error) {
	secured := asyncio.WithTLS(&tls.Config{Certificates: []tls.Certificate{cert}})
	server, err := asyncio.StartServer(ctx, handle, "tcp", address, secured, asyncio.WithBacklog(backlog))
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return server, nil
}

// handle is the server's side of one connection, as it is without TLS.
func handle(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) (err error) {
	defer func() { err = errors.Join(err, w.Close()) }()
	buf := make([]byte, readBytesMax)
	for {
		n, err := r.Read(ctx, buf)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read from %v: %w", w.Transport().RemoteAddr(), err)
		}
		_, err = w.Write(buf[:n])
		if errors.Is(err, net.ErrClosed) {
			return nil // over TLS both directions end at once: who sends its end reads no answer
		}
		if err != nil {
			return fmt.Errorf("write to %v: %w", w.Transport().RemoteAddr(), err)
		}
		if err := w.Drain(ctx); err != nil {
			return fmt.Errorf("write to %v: %w", w.Transport().RemoteAddr(), err)
		}
	}
}

// ask sends a message to an echo server and returns what comes back, and what is known of
// TLS. There is no WriteEOF over TLS, so it counts the bytes of the answer.
func ask(ctx context.Context, address string, cfg *tls.Config, message []byte) (reply []byte, state tls.ConnectionState, err error) {
	r, w, err := asyncio.OpenConnection(ctx, "tcp", address, asyncio.WithTLS(cfg))
	if err != nil {
		return nil, state, fmt.Errorf("connect to %s: %w", address, err)
	}
	defer func() { err = errors.Join(err, w.Close(), w.WaitClosed(ctx)) }()
	state, _ = w.ExtraInfo("ssl_object").(tls.ConnectionState)
	if _, err := w.Write(message); err != nil { // buffered, if it is more than the way holds
		return nil, state, fmt.Errorf("write to %s: %w", address, err)
	}
	if reply, err = r.ReadExactly(ctx, len(message)); err != nil {
		err = fmt.Errorf("read from %s: %w", address, err)
	}
	return reply, state, err
}

// serve runs an echo server until Ctrl-C or SIGTERM.
func serve(address string, cert tls.Certificate) error {
	stop, restore := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer restore()
	context.AfterFunc(stop, restore) // a second Ctrl-C does not ask
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		server, err := start(ctx, address, cert)
		if err != nil {
			return err
		}
		fmt.Println("listening on", server.Addrs()[0])
		ended := asyncio.Sleep(ctx, asyncio.Forever)
		return errors.Join(ended, shut(ctx, server))
	}), asyncio.WithContext(stop))
	if stop.Err() != nil && errors.Is(err, asyncio.ErrCancelled) {
		return nil // it was meant to end
	}
	return err
}

// shut closes a server for good. Clients are told by close_notify.
func shut(ctx context.Context, server *asyncio.Server) error {
	server.Close()
	server.CloseClients()
	err := asyncio.Timeout(ctx, stopTimeMax, server.WaitClosed)
	if errors.Is(err, asyncio.ErrTimeout) {
		server.AbortClients() // they do not answer
		err = server.WaitClosed(ctx)
	}
	return err
}

// demo has clients talk to a server of the same loop.
func demo(cert tls.Certificate) error {
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) (err error) {
		server, err := start(ctx, "127.0.0.1:0", cert)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, shut(ctx, server)) }()
		address := server.Addrs()[0].String()
		reply, state, err := ask(ctx, address, trusting(cert), []byte("hello"))
		if err != nil {
			return err
		}
		fmt.Printf("sent %q, got %q\n", "hello", reply)
		fmt.Printf("%s, certificate of %s\n", tls.VersionName(state.Version), state.PeerCertificates[0].Subject.CommonName)
		if err := refused(ctx, address); err != nil {
			return err
		}
		return manyAtOnce(ctx, address, cert)
	}))
	return err
}

// refused has a client connect that trusts nobody.
func refused(ctx context.Context, address string) error {
	_, _, err := ask(ctx, address, &tls.Config{RootCAs: x509.NewCertPool()}, []byte("hello"))
	if !errors.As(err, new(x509.UnknownAuthorityError)) {
		return fmt.Errorf("a client that trusts nobody got: %w", err)
	}
	fmt.Println("a client that trusts nobody sends nothing")
	return nil
}

// manyAtOnce has ten clients talk at once, each with more than a transport keeps.
func manyAtOnce(ctx context.Context, address string, cert tls.Certificate) error {
	cfg := trusting(cert)
	var clients []asyncio.Awaitable[int]
	for i := range 10 {
		clients = append(clients, asyncio.Coro[int](func(ctx context.Context) (int, error) {
			message := bytes.Repeat([]byte{byte('a' + i)}, 1<<20)
			reply, _, err := ask(ctx, address, cfg, message)
			if err != nil {
				return 0, fmt.Errorf("client %d: %w", i, err)
			}
			if !bytes.Equal(reply, message) {
				return 0, fmt.Errorf("client %d: the echo differs", i)
			}
			return len(reply), nil
		}))
	}
	sizes, err := asyncio.Gather(ctx, clients...).Await(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%d clients at once: %v bytes each came back unchanged\n", len(sizes), sizes[0])
	return nil
}
