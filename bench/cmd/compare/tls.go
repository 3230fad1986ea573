package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

// What is measured over TLS. All servers have one certificate, of the kind that costs
// least (ECDSA on P-256), and speak TLS 1.3; the client is a Go program, whose own costs
// are not counted.

// tlsServers are the contenders, the control first.
func (b builder) tlsServers() []entry {
	const python = "servers/echo_asyncio.py"
	cert, key := b.certificate()
	return []entry{
		{result.GoNet, b.secured(b.goProgram("servers/gonet", "tls", cert, key))},
		{result.Protocol, b.goProgram("servers/asyncio_protocol", cert, key)},
		{result.Streams, b.goProgram("servers/asyncio_streams", cert, key)},
		{result.PureGo, pureGo(b.goProgram("servers/asyncio_protocol", cert, key))},
		{result.Uvloop, b.python(python, "uvloop", "protocol", cert, key)},
		{result.UvloopStreams, b.python(python, "uvloop", "streams", cert, key)},
		{result.Python, b.python(python, "asyncio", "protocol", cert, key)},
		{result.NodeNet, b.node("servers/echo_node.js", "tls", cert, key)},
	}
}

// tlsJob is the job of one work over TLS.
func (m *meter) tlsJob(w result.Work, p programs) job {
	return m.closedJob(w, result.GoNet, p.tls, load{client: p.tlsClient, fresh: w.Kind == result.Shake})
}

// certificate is where the certificate and its key are.
func (b builder) certificate() (cert, key string) {
	return filepath.Join(b.out, "cert.pem"), filepath.Join(b.out, "key.pem")
}

// secured makes the certificate before the contender, which is the control and so the
// first that is made.
func (b builder) secured(m maker) maker {
	return func() (contender, error) {
		if err := b.makeCertificate(); err != nil {
			return contender{}, err
		}
		return m()
	}
}

// makeCertificate makes it, once.
func (b builder) makeCertificate() error {
	certFile, keyFile := b.certificate()
	if _, err := os.Stat(keyFile); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writePEM(certFile, "CERTIFICATE", cert); err != nil {
		return err
	}
	return writePEM(keyFile, "PRIVATE KEY", private)
}

func writePEM(name, kind string, content []byte) error {
	return os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600)
}

// overTLS is a connection after its handshake. Who the server is is known.
func overTLS(conn net.Conn) net.Conn {
	return tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
}
