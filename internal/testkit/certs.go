package testkit

// Certificates that tests make when they run: an authority, and what it signs for servers
// and clients. Nothing of it is on any disk unless a test asks for files.

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Authority signs certificates.
type Authority struct {
	cert *x509.Certificate
	key  crypto.Signer
	// Pool trusts the authority.
	Pool *x509.CertPool
	// Server is for "localhost" and the addresses of the loopback interface.
	Server tls.Certificate
	// Client has the common name "client".
	Client tls.Certificate
}

// Certs is the authority that all tests of a program share.
var Certs = sync.OnceValue(NewAuthority)

// NewAuthority makes one that nobody else trusts. Failures panic: there is no randomness.
func NewAuthority() *Authority {
	key := newKey()
	template := newTemplate("test authority")
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign
	a := &Authority{key: key, Pool: x509.NewCertPool()}
	a.cert = sign(template, template, key, key)
	a.Pool.AddCert(a.cert)
	a.Server = a.Issue("localhost", "127.0.0.1", "::1")
	a.Client = a.Issue("client")
	return a
}

// Issue makes a certificate for servers and clients. The first name is its common name;
// those that are IP addresses are noted as such.
func (a *Authority) Issue(names ...string) tls.Certificate {
	key := newKey()
	template := newTemplate(names[0])
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	leaf := sign(template, a.cert, key, a.key)
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
}

// ServerConfig is for servers that have the certificate Server.
func (a *Authority) ServerConfig() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{a.Server}}
}

// ClientConfig is for clients that trust what the authority has signed.
func (a *Authority) ClientConfig() *tls.Config { return &tls.Config{RootCAs: a.Pool} }

// MutualServerConfig is ServerConfig for servers that ask for certificates of clients.
func (a *Authority) MutualServerConfig() *tls.Config {
	c := a.ServerConfig()
	c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, a.Pool
	return c
}

// MutualClientConfig is ClientConfig with the certificate Client.
func (a *Authority) MutualClientConfig() *tls.Config {
	c := a.ClientConfig()
	c.Certificates = []tls.Certificate{a.Client}
	return c
}

// CertFiles is the paths of files in PEM, for programs such as openssl and curl.
type CertFiles struct{ Authority, ServerCert, ServerKey, ClientCert, ClientKey string }

// Files writes them into a directory that goes with the test.
func (a *Authority) Files(t testing.TB) CertFiles {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	pair := func(name string, c tls.Certificate) (cert, key string) {
		der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
		require.NoError(t, err)
		return write(name+".pem", "CERTIFICATE", c.Certificate[0]), write(name+".key", "PRIVATE KEY", der)
	}
	f := CertFiles{Authority: write("authority.pem", "CERTIFICATE", a.cert.Raw)}
	f.ServerCert, f.ServerKey = pair("server", a.Server)
	f.ClientCert, f.ClientKey = pair("client", a.Client)
	return f
}

func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

func newTemplate(name string) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		panic(err)
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
}

func sign(template, parent *x509.Certificate, key, signer crypto.Signer) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return cert
}
