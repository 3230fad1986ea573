package serve

import (
	"crypto/tls"
	"log"
	"os"
)

// TLS is what a server needs for TLS if the arguments from n on are CERT and KEY, files in
// PEM; nil if there are none. It ends the program when they are wrong.
func TLS(n int) *tls.Config {
	if len(os.Args) == n {
		return nil
	}
	if len(os.Args) != n+2 {
		log.Fatalf("usage: %s PLACE ... [CERT KEY]", os.Args[0])
	}
	cert, err := tls.LoadX509KeyPair(os.Args[n], os.Args[n+1])
	if err != nil {
		log.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}
}
